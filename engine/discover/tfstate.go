package discover

import (
	"cmp"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"isobar.dev/engine/resource"
)

// State is what a Terraform state file holds of kinds that isobar has.
type State struct {
	Found   []Found // Alias is the provider's configuration, "aws" or "aws.west", as Terraform names it
	Aspects int     // resources that are aspects of others here
}

// stateFile is version 4 of the state's format, as far as it is read: of
// attributes, which may hold secrets, those alone that say which object it is.
type stateFile struct {
	Version   int             `json:"version"`
	Encrypted json.RawMessage `json:"encrypted_data"`
	Resources []struct {
		Module    string          `json:"module"`
		Mode      string          `json:"mode"`
		Type      string          `json:"type"`
		Name      string          `json:"name"`
		Provider  string          `json:"provider"`
		Instances []stateInstance `json:"instances"`
	} `json:"resources"`
}

type stateInstance struct {
	Index      any                        `json:"index_key"` // a number, a text, or nil
	Deposed    string                     `json:"deposed"`
	Attributes map[string]json.RawMessage `json:"attributes"`
}

// text gives an attribute that is text, or "".
func (in *stateInstance) text(name string) string {
	var s string
	if json.Unmarshal(in.Attributes[name], &s) != nil {
		return ""
	}
	return s
}

// ReadState reads a Terraform state, format version 4. Its data sources are no
// objects; what isobar has no kind for is left out. Nothing is said of an object
// but which one it is: the world is asked how it is.
func ReadState(data []byte, kinds resource.Descriptors) (State, error) {
	var file stateFile
	err := json.Unmarshal(data, &file)
	switch {
	case err == nil && file.Encrypted != nil:
		return State{}, fmt.Errorf("it is encrypted: write what state pull prints into a file, and read that")
	case err != nil || file.Version == 0:
		return State{}, fmt.Errorf("it is no Terraform state: that is JSON with a version and resources")
	case file.Version != 4:
		return State{}, fmt.Errorf("it is a state of format %d, and only 4 is read: Terraform 0.12 and later write that", file.Version)
	}
	byType, aspects := map[string]string{}, folded()
	for full, d := range kinds {
		if d.TF != "" && !d.Lookup {
			byType[d.TF] = full
		}
		for i := range d.Fields {
			if t := d.Fields[i].TFType; t != "" {
				aspects = append(aspects, t)
			}
		}
	}
	var out State
	for _, r := range file.Resources {
		switch {
		case r.Mode != "managed":
			continue
		case slices.Contains(aspects, r.Type):
			out.Aspects += len(r.Instances)
			continue
		}
		for i := range r.Instances {
			in := &r.Instances[i]
			at, base := modules(r.Module)
			// A machine of vSphere has another id there than here, and the vCenter's own.
			f := Found{
				Type: byType[r.Type], ID: cmp.Or(in.text("moid"), in.text("id")), Alias: aliasOf(r.Provider), Region: in.region(),
				By: at + r.Type + "." + r.Name + in.index(), Base: base + r.Name + in.suffix(len(r.Instances)),
			}
			switch {
			case f.Type == "":
				f.Type = r.Type
				f.Leave("isobar has no kind for it")
			case in.Deposed != "":
				f.Leave("Terraform has replaced it and not deleted it yet")
			case f.ID == "":
				f.Leave("the state has no id of it")
			}
			out.Found = append(out.Found, f)
		}
	}
	slices.SortFunc(out.Found, compare)
	return out, nil
}

// folded lists Terraform's resource types that are lists or settings within
// another kind's fields, beside those that descriptors name.
func folded() []string {
	return []string{
		"aws_ec2_instance_state", "aws_ec2_tag", "aws_internet_gateway_attachment", "aws_route", "aws_route_table_association",
		"aws_security_group_rule", "aws_volume_attachment", "aws_vpc_security_group_egress_rule", "aws_vpc_security_group_ingress_rule",
	}
}

// aliasOf takes a provider's name and alias out of `provider["host/space/aws"].west`;
// a module's own stands behind the module's address.
func aliasOf(config string) string {
	_, rest, _ := strings.Cut(config, `provider["`)
	source, alias, _ := strings.Cut(rest, `"]`)
	return path.Base(source) + alias
}

// modules gives the address of a module as it stands before a resource's, and
// its names as they stand in a resource's name.
func modules(address string) (at, base string) {
	if address == "" {
		return "", ""
	}
	for part := range strings.SplitSeq(address, "module.") {
		if part = strings.TrimSuffix(part, "."); part != "" {
			base += strings.NewReplacer("[", "-", "]", "", `"`, "").Replace(part) + "-"
		}
	}
	return address + ".", base
}

func (in *stateInstance) index() string {
	switch k := in.Index.(type) {
	case string:
		return fmt.Sprintf("[%q]", k)
	case float64:
		return fmt.Sprintf("[%d]", int64(k))
	}
	return ""
}

// suffix tells the instances of one resource apart. The only one that count
// made needs none.
func (in *stateInstance) suffix(of int) string {
	switch k := in.Index.(type) {
	case string:
		return "-" + k
	case float64:
		if of > 1 {
			return fmt.Sprintf("-%d", int64(k))
		}
	}
	return ""
}

// region is where an object is, as its attributes tell.
func (in *stateInstance) region() string {
	if region := in.text("region"); region != "" {
		return region
	}
	if parts := strings.SplitN(in.text("arn"), ":", 6); len(parts) == 6 {
		return parts[3]
	}
	return ""
}
