package fake_test

import (
	"testing"

	"go.uber.org/goleak"

	"isobar.dev/providers/fake"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestCatalogue(t *testing.T) {
	t.Parallel()
	if err := fake.Catalogue(fake.NewWorld(fake.Options{})).Check(); err != nil {
		t.Fatal(err)
	}
}
