package discover

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/resource"
)

// called is what people call an object: its tag Name, its field name, the field
// whose value no other may have, else its id.
func called(t *thing) string {
	tags, _ := t.Fields["tags"].(resource.Map)
	for _, text := range []string{tags.Text("Name"), t.Fields.Text("name")} {
		if text != "" {
			return text
		}
	}
	for i := range t.desc.Fields {
		if f := &t.desc.Fields[i]; f.Unique && t.Fields.Text(f.Name) != "" {
			return t.Fields.Text(f.Name)
		}
	}
	return string(t.ID)
}

// maxName leaves room for a number behind a name (resource.Address.Valid).
const maxName = 100

// Label makes a resource's name of any text: what a name may not hold becomes
// "-". It is "" where nothing is left.
func Label(text string) string {
	var b strings.Builder
	for _, r := range text {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', r == '_', r == '.':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
	}
	out := strings.TrimLeft(b.String(), ".-")
	return strings.TrimRight(out[:min(len(out), maxName)], ".-")
}

// Assign gives each object that is not left out an address in an environment:
// its own name, with a number where that is taken. The same objects get the same
// addresses, in whatever order they come.
func Assign(found []Found, env string, taken func(resource.Address) bool) {
	order := make([]*Found, 0, len(found))
	for i := range found {
		if found[i].Left == "" {
			order = append(order, &found[i])
		}
	}
	slices.SortFunc(order, func(a, b *Found) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(Label(a.Base), Label(b.Base)), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Alias, b.Alias))
	})
	given := map[resource.Address]bool{}
	for _, f := range order {
		prov, kind, _ := strings.Cut(f.Type, ".")
		base := cmp.Or(Label(f.Base), Label(f.ID), kind)
		f.Address = resource.Address{Env: env, Provider: prov, Kind: kind, Name: base}
		for n := 2; given[f.Address] || taken(f.Address); n++ {
			f.Address.Name = base + "-" + strconv.Itoa(n)
		}
		given[f.Address] = true
	}
}
