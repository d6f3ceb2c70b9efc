package resource

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Descriptor is what the schema says of a kind's behaviour: generated from the
// CUE attributes of schemas/<provider>/<kind>.cue into descriptors.json.
type Descriptor struct {
	Kind     string     `json:"kind"`                // "aws.vpc"
	TF       string     `json:"tf,omitempty"`        // Terraform's type name, "aws_vpc"; "" where it maps to none
	Within   string     `json:"within,omitempty"`    // the field that holds its parent's reference, from @within
	WithinOf string     `json:"within_of,omitempty"` // the parent's kind
	Lookup   bool       `json:"lookup,omitempty"`    // from @lookup: it is looked up and pinned, never made, changed or deleted
	OneOf    [][]string `json:"one_of,omitempty"`    // of each group exactly one field is set
	Data     bool       `json:"data,omitempty"`      // from @data: it holds what no spec brings back
	Fields   []Field    `json:"fields"`              // sorted by name
	Outs     []Out      `json:"outs"`                // sorted by name
	Doc      string     `json:"doc,omitempty"`       // the definition's comment
}

// Field is one field's behaviour.
type Field struct {
	Name       string     `json:"name"`
	Type       string     `json:"type"`             // string, int, number, bool, list, map or struct
	Elem       *Field     `json:"elem,omitempty"`   // of a list or map
	Fields     []Field    `json:"fields,omitempty"` // of a struct, sorted by name
	Required   bool       `json:"required,omitempty"`
	Immutable  bool       `json:"immutable,omitempty"`   // a change means replacement
	Computed   bool       `json:"computed,omitempty"`    // the provider sets it; never desired
	Volatile   bool       `json:"volatile,omitempty"`    // an update of the object may change it
	Identity   bool       `json:"identity,omitempty"`    // of a computed field of a map's elements: it tells one from another at the same key
	Sensitive  bool       `json:"sensitive,omitempty"`   // masked everywhere
	WriteOnly  bool       `json:"write_only,omitempty"`  // cannot be read back
	Setting    bool       `json:"setting,omitempty"`     // isobar's own word on the object: no provider keeps it
	Secret     bool       `json:"secret,omitempty"`      // takes {$secret: …} in the place of its text
	GrowOnly   bool       `json:"grow_only,omitempty"`   // may only grow in place
	Disruptive bool       `json:"disruptive,omitempty"`  // an update interrupts service
	Follows    bool       `json:"follows,omitempty"`     // of an immutable reference by a path: when what it names is renamed, it reads anew without a call
	Guards     bool       `json:"guards,omitempty"`      // while it is true, the API refuses to delete the object
	Data       bool       `json:"data,omitempty"`        // a map whose elements hold what no spec brings back
	Unique     bool       `json:"unique,omitempty"`      // no two objects may share the value
	UniqueIn   string     `json:"unique_in,omitempty"`   // of a unique field: Anywhere, or the field that names what it is unique within; "" is an account's region, or a vCenter
	Ordered    bool       `json:"ordered,omitempty"`     // a list whose order matters; else it is a set
	Alike      *Alike     `json:"alike,omitempty"`       // two spellings of its texts, or of its elements', that mean the same
	Own        string     `json:"own,omitempty"`         // "element": only our own elements of a list are ours
	Default    string     `json:"default,omitempty"`     // "server": the provider fills it in when unset
	Usual      []Usual    `json:"usual,omitempty"`       // of a field with such a default: what the provider is known to choose
	DefaultsTo *Constant  `json:"defaults_to,omitempty"` // the schema's own concrete default
	Ref        string     `json:"ref,omitempty"`         // the kind that it refers to, "aws.vpc"
	RefOut     string     `json:"ref_out,omitempty"`     // the output of it that is taken; "" is its id
	Within     string     `json:"within,omitempty"`      // the parent's kind, where the object lives within the one that this field names
	OneOf      [][]string `json:"one_of,omitempty"`      // of a struct: of each group exactly one field is set
	Needs      []Need     `json:"needs,omitempty"`       // of a struct: what one field wants of another
	CIDR       bool       `json:"cidr,omitempty"`        // an address block, in the one spelling that CanonicalCIDR gives
	Block      string     `json:"block,omitempty"`       // an address block: "own", or the field that names the parent within whose block it lies, apart from its siblings'
	Key        []string   `json:"key,omitempty"`         // a list's elements are told apart by those of these fields that they have
	Aspect     string     `json:"aspect,omitempty"`      // set by a call of its own, after the create
	TF         string     `json:"tf,omitempty"`          // Terraform's name where it is not the snake_case one
	TFType     string     `json:"tf_type,omitempty"`     // Terraform's type, where it has the field as a resource of its own
	Doc        string     `json:"doc,omitempty"`
}

// Need says that where one field is as If has it, another one must be as Then has it.
type Need struct {
	If   FieldIs `json:"if"`
	Then FieldIs `json:"then"`
}

// FieldIs says that a field is set, or is one of some texts.
type FieldIs struct {
	Field string   `json:"field"`
	Is    []string `json:"is,omitempty"` // empty: any value
}

// Holds reports whether it is so among these fields, and known for those whose value
// is to come only that they are set.
func (i FieldIs) Holds(beside Map) (holds, known bool) {
	switch v := beside[i.Field].(type) {
	case nil:
		return false, true
	case String:
		return len(i.Is) == 0 || slices.Contains(i.Is, string(v)), true
	default:
		return true, len(i.Is) == 0
	}
}

// String writes it as the schemas do: FIELD, or FIELD=TEXT|TEXT.
func (i FieldIs) String() string {
	if len(i.Is) == 0 {
		return i.Field
	}
	return i.Field + "=" + strings.Join(i.Is, "|")
}

// ParseFieldIs reads what String writes.
func ParseFieldIs(s string) FieldIs {
	field, is, some := strings.Cut(s, "=")
	if !some {
		return FieldIs{Field: field}
	}
	return FieldIs{Field: field, Is: strings.Split(is, "|")}
}

// Anywhere says of a unique field that nobody in the world may share its value.
const Anywhere = "*"

// Unseen reports whether no read ever shows the field: what was applied stands
// in for what is live.
func (f *Field) Unseen() bool { return f.WriteOnly || f.Setting }

// KeyOf gives what tells an element of the list apart from its others: those of the
// key's fields that it has. It is empty where the list has no key, or the element
// none of the fields.
func (f *Field) KeyOf(e Value) Map {
	m, ok := e.(Map)
	if f == nil || !ok {
		return nil
	}
	var out Map
	for _, name := range f.Key {
		if v := m[name]; v != nil {
			if out == nil {
				out = make(Map, len(f.Key))
			}
			out[name] = v
		}
	}
	return out
}

// Child gives the descriptor of a struct's field or of a map's value, or nil. f may
// be nil.
func (f *Field) Child(name string) *Field {
	switch {
	case f == nil:
		return nil
	case f.Type == "struct":
		return findField(f.Fields, name)
	}
	return f.Elem
}

// Usual is a value that a provider chooses by itself for a field that is unset.
// Only an import asks: it writes what a person chose.
type Usual struct {
	Value *Constant `json:"value,omitempty"` // nil is any: the field is never a person's to set
	Where string    `json:"where,omitempty"` // a field beside it that decides; "" where it is so always
	Is    []string  `json:"is,omitempty"`    // of that field: one of these texts
}

// IsUsual reports whether the provider is known to choose v by itself, with
// these values of the fields beside it.
func (f *Field) IsUsual(v Value, beside Map) bool {
	return slices.ContainsFunc(f.Usual, func(u Usual) bool {
		return (u.Value == nil || Equal(u.Value.Value, v)) && (u.Where == "" || slices.Contains(u.Is, beside.Text(u.Where)))
	})
}

// Alike matches a text whose group alone means the same as all of it does: an
// account's Amazon resource name, and its number.
type Alike struct{ *regexp.Regexp }

// Short gives the short spelling of a text, which may be its own.
func (a *Alike) Short(s String) String {
	if m := a.FindStringSubmatch(string(s)); m != nil {
		return String(m[1])
	}
	return s
}

// UnmarshalText reads the expression, which matches whole texts and has one group.
func (a *Alike) UnmarshalText(b []byte) error {
	re, err := regexp.Compile(string(b))
	switch {
	case err != nil:
		return err
	case re.NumSubexp() != 1 || !strings.HasPrefix(string(b), "^") || !strings.HasSuffix(string(b), "$"):
		return fmt.Errorf("%s must match whole texts, ^…$, and have one group", b)
	}
	a.Regexp = re
	return nil
}

// Constant carries a Value through a descriptor's JSON.
type Constant struct{ Value }

// MarshalJSON writes the value with Encode.
func (v Constant) MarshalJSON() ([]byte, error) { return Encode(v.Value), nil }

// UnmarshalJSON reads the value with Decode.
func (v *Constant) UnmarshalJSON(b []byte) (err error) {
	v.Value, err = Decode(b)
	return err
}

// Out is an output that references may name.
type Out struct {
	Name     string `json:"name"`
	Volatile bool   `json:"volatile,omitempty"` // an update of the object may change it
	Doc      string `json:"doc,omitempty"`
}

// Field gives the top-level field of that name, or nil.
func (d *Descriptor) Field(name string) *Field { return findField(d.Fields, name) }

// At gives the descriptor of the node that path leads to, or nil. d may be nil.
func (d *Descriptor) At(path Path) *Field {
	if d == nil || len(path) == 0 {
		return nil
	}
	f := d.Field(path[0])
	for _, e := range path[1:] {
		f = f.Child(e)
	}
	return f
}

// Guard gives the field that keeps an object from being deleted, or nil. d may be nil.
func (d *Descriptor) Guard() *Field {
	if d == nil {
		return nil
	}
	for i := range d.Fields {
		if d.Fields[i].Guards {
			return &d.Fields[i]
		}
	}
	return nil
}

// TakesSecrets reports whether any field takes a secret.
func (d *Descriptor) TakesSecrets() bool { return d != nil && takeSecrets(d.Fields) }

func takeSecrets(fs []Field) bool {
	return slices.ContainsFunc(fs, func(f Field) bool {
		return f.Secret || takeSecrets(f.Fields) || f.Elem != nil && takeSecrets([]Field{*f.Elem})
	})
}

// Aspects lists the kind's aspects in order, without the bare "".
func (d *Descriptor) Aspects() []string {
	var out []string
	for _, f := range d.Fields {
		if f.Aspect != "" && !slices.Contains(out, f.Aspect) {
			out = append(out, f.Aspect)
		}
	}
	slices.Sort(out)
	return out
}

// Outputs takes an object's outputs from its live fields: "id" is the ID.
func (d *Descriptor) Outputs(o Object) Map {
	out := make(Map, len(d.Outs))
	for _, f := range d.Outs {
		if f.Name == "id" && o.ID != "" {
			out["id"] = String(o.ID)
		} else if v := o.Fields[f.Name]; v != nil {
			out[f.Name] = v
		}
	}
	return out
}

func findField(fs []Field, name string) *Field {
	i, ok := slices.BinarySearchFunc(fs, name, func(f Field, n string) int { return strings.Compare(f.Name, n) })
	if !ok {
		return nil
	}
	return &fs[i]
}

// Descriptors are all kinds' descriptors by kind. Read-only once parsed, so
// safe for concurrent use.
type Descriptors map[string]*Descriptor

// ParseDescriptors reads descriptors.json.
func ParseDescriptors(data []byte) (Descriptors, error) {
	var list []*Descriptor
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, fmt.Errorf("descriptors: %w", err)
	}
	out := make(Descriptors, len(list))
	for _, d := range list {
		if out[d.Kind] != nil {
			return nil, fmt.Errorf("descriptors: kind %s stands twice", d.Kind)
		}
		out[d.Kind] = d
	}
	return out, nil
}
