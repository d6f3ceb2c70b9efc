package vsphere_test

import (
	"errors"
	"testing"

	"github.com/google/uuid"

	"isobar.dev/engine/resource"
)

// hasFile wants a file of the datastore to be there, or not to be.
func hasFile(t *testing.T, file string, want bool) {
	t.Helper()
	has, err := center.HasFile(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	if has != want {
		t.Errorf("%s is there: %v, want %v", file, has, want)
	}
}

// TestStrangersDiskOutlivesTheMachine attaches a disk to a machine as somebody else
// would: the machine goes with its own disk, and the other one's file stays. The
// first try is cut off between the two calls.
func TestStrangersDiskOutlivesTheMachine(t *testing.T) {
	// Not parallel: who looks for a machine by name trips over those that other
	// tests delete.
	r := newRig(t)
	own := resource.Map{"disks": resource.Map{"scsi0:0": disk(16)}}
	live := r.create(t, "vm", with(machine(), own))
	name := live.Fields.Text("name")
	file := "strangers-" + uuid.NewString()[:8] + "/data.vmdk"
	if err := center.Attach(t.Context(), name, file); err != nil {
		t.Fatal(err)
	}
	live = r.one(t, "vm", live.ID)
	if disks, _ := live.Fields["disks"].(resource.Map); len(disks) != 2 {
		t.Fatalf("it has the disks %s, so that this proves nothing", resource.Encode(disks))
	}
	applied := resource.Object{Address: live.Address, ID: live.ID, Fields: own}
	cut := errors.New("connection reset by peer")
	r.line.before = func(op, body string) (string, error) {
		if op == "Destroy_Task" {
			return "", cut
		}
		return body, nil
	}
	if _, err := r.Delete(t.Context(), live, applied); err == nil {
		t.Fatal("the machine was deleted over a line that was cut")
	}
	hasFile(t, file, true)
	r.line.before = nil
	p, err := r.Delete(t.Context(), r.one(t, "vm", live.ID), applied)
	if err != nil {
		t.Fatal(err)
	}
	r.done(t, p)
	if got := r.read(t, "vm", resource.Selector{IDs: []resource.ID{live.ID}}); len(got) != 0 {
		t.Error("the machine is still there")
	}
	hasFile(t, file, true)
}

// TestExchangedDiskOutlivesTheMachine puts another disk in the place of one of ours:
// the vCenter tells them apart, and only the file of the stranger's is kept from what
// destroys the machine.
func TestExchangedDiskOutlivesTheMachine(t *testing.T) {
	// Not parallel, as above.
	r := newRig(t)
	live := r.create(t, "vm", with(machine(), resource.Map{"disks": resource.Map{"scsi0:0": disk(8)}}))
	ours, _ := live.Fields["disks"].(resource.Map)
	own, _ := ours["scsi0:0"].(resource.Map)
	file := "strangers-" + uuid.NewString()[:8] + "/data.vmdk"
	if err := center.Exchange(t.Context(), live.Fields.Text("name"), file); err != nil {
		t.Fatal(err)
	}
	now := r.one(t, "vm", live.ID)
	theirs, _ := now.Fields["disks"].(resource.Map)
	other, _ := theirs["scsi0:0"].(resource.Map)
	if own.Text("uuid") == "" || other.Text("uuid") == "" || own.Text("uuid") == other.Text("uuid") || len(theirs) != 1 {
		t.Fatalf("the disks were %s and are %s: they can't be told apart", resource.Encode(ours), resource.Encode(theirs))
	}
	p, err := r.Delete(t.Context(), now, resource.Object{Address: live.Address, ID: live.ID, Fields: resource.Map{"disks": ours}})
	if err != nil {
		t.Fatal(err)
	}
	r.done(t, p)
	hasFile(t, file, true)
}

// TestSnapshotHoldsStrangersDisk wants no machine deleted with a snapshot that has a
// disk of somebody else: nothing is done to the machine till that is gone.
func TestSnapshotHoldsStrangersDisk(t *testing.T) {
	// Not parallel, as above.
	r := newRig(t)
	own := resource.Map{"disks": resource.Map{"scsi0:0": disk(16)}}
	live := r.create(t, "vm", with(machine(), own))
	name := live.Fields.Text("name")
	file := "strangers-" + uuid.NewString()[:8] + "/data.vmdk"
	if err := errors.Join(center.Attach(t.Context(), name, file), center.Power(t.Context(), name, true), center.Snapshot(t.Context(), name, "before")); err != nil {
		t.Fatal(err)
	}
	applied := resource.Object{Address: live.Address, ID: live.ID, Fields: own}
	live = r.one(t, "vm", live.ID)
	_, err := r.Delete(t.Context(), live, applied)
	wantClass(t, err, resource.Invalid, "the machine's snapshot before holds disks that are not isobar's")
	if now := r.one(t, "vm", live.ID); !resource.Equal(now.Fields, live.Fields) {
		t.Errorf("the refused deletion left %s of %s", resource.Encode(now.Fields), resource.Encode(live.Fields))
	}
	if err := center.DropSnapshots(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	p, err := r.Delete(t.Context(), live, applied)
	if err != nil {
		t.Fatal(err)
	}
	r.done(t, p)
	hasFile(t, file, true)
}
