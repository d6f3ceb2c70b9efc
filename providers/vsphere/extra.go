package vsphere

import (
	"context"
	"encoding/base64"
	"maps"
	"slices"

	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/types"

	"isobar.dev/engine/resource"
)

// markInstance is the option that repeats the machine's instance UUID beside
// its mark: a clone takes the options over and gets a UUID of its own.
const markInstance = "isobar:instance"

// The fields of cloudInit.
const (
	userData = "userData"
	metaData = "metaData"
)

// guestKey gives the option that cloud-init's VMware datasource reads.
// https://docs.cloud-init.io/en/latest/reference/datasources/vmware.html
func guestKey(field string) string {
	if field == userData {
		return "guestinfo.userdata"
	}
	return "guestinfo.metadata"
}

// options reads a machine's options; ok is false where they could not be read.
func options(n *node) (map[string]string, bool) {
	list, ok := n.props["config.extraConfig"].(types.ArrayOfOptionValue)
	out := make(map[string]string, len(list.OptionValue))
	for _, b := range list.OptionValue {
		o := b.GetOptionValue()
		if text, isText := o.Value.(string); isText {
			out[o.Key] = text
		}
	}
	return out, ok
}

// readExtra reads the mark and the cloud-init data. The mark counts on the
// machine that it was written to alone.
func readExtra(n *node, o *resource.Object) {
	all, ok := options(n)
	if !ok {
		o.Fields["cloudInit"] = n.unread("config.extraConfig")
		return
	}
	if m, _ := resource.MarkFromTags(all); all[markInstance] == string(o.ID) && m.Address.Type() == name+".vm" {
		o.Mark = m
	}
	data := resource.Map{}
	for _, field := range []string{userData, metaData} {
		text, have := all[guestKey(field)]
		if !have || text == "" {
			continue
		}
		if all[guestKey(field)+".encoding"] == "base64" || all[guestKey(field)+".encoding"] == "b64" {
			plain, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				data[field] = resource.Unread{Why: "it is not the base64 that it says it is"}
				continue
			}
			text = string(plain)
		}
		data[field] = resource.String(text)
	}
	if len(data) > 0 {
		o.Fields["cloudInit"] = data
	}
}

func option(key, value string) types.BaseOptionValue {
	return &types.OptionValue{Key: key, Value: value}
}

// markOptions writes a mark, or with nil takes it off: an empty option is
// removed.
func markOptions(m *resource.Mark, id resource.ID) []types.BaseOptionValue {
	tags := map[string]string{resource.MarkEstate: "", resource.MarkEnv: "", resource.MarkAddress: "", resource.MarkToken: "", markInstance: ""}
	if m != nil {
		maps.Copy(tags, m.Tags())
		tags[markInstance] = string(id)
	}
	var out []types.BaseOptionValue
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, option(k, tags[k]))
	}
	return out
}

// guestInfo writes fields of cloudInit; one that is unset is removed.
func guestInfo(data resource.Map, fields ...string) []types.BaseOptionValue {
	var out []types.BaseOptionValue
	for _, field := range fields {
		text, encoding := "", ""
		if plain := data.Text(field); plain != "" {
			text, encoding = base64.StdEncoding.EncodeToString([]byte(plain)), "base64"
		}
		if data == nil && text == "" {
			continue
		}
		out = append(out, option(guestKey(field), text), option(guestKey(field)+".encoding", encoding))
	}
	return out
}

// markVM writes m onto a machine, or takes isobar's mark off.
func (s *session) markVM(ctx context.Context, ref types.ManagedObjectReference, live resource.Object, m *resource.Mark) error {
	if e := live.Mark.Estate; m != nil && e != "" && e != m.Estate {
		return &resource.Failure{Class: resource.Conflict, Op: "vim:ReconfigVM_Task", Message: string(live.ID) +
			" carries the mark of another estate (" + e + "): release it there first"}
	}
	got, err := methods.ReconfigVM_Task(ctx, s, &types.ReconfigVM_Task{
		This: ref, Spec: types.VirtualMachineConfigSpec{ExtraConfig: markOptions(m, live.ID)},
	})
	if err != nil {
		return err
	}
	return s.await(ctx, got.Returnval)
}
