package plan_test

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"isobar.dev/engine/plan"
	"isobar.dev/engine/resource"
)

// cloud is a model world that enforces what a cloud does: nothing refers to
// what is not there, nothing goes that something refers to, names are unique,
// immutable fields stay.
type cloud struct {
	kinds   map[string]plan.Kind
	next    int
	objects map[resource.ID]*thing
	images  map[string]int // name → which is the newest; nobody's
}

type thing struct {
	kind   string
	fields resource.Map
	mark   resource.Mark
	rev    int
}

func newCloud() *cloud {
	return &cloud{kinds: kinds(), objects: map[resource.ID]*thing{}, images: map[string]int{}}
}

// lookUp gives what a name finds now.
func (c *cloud) lookUp(fields resource.Map) plan.Reading {
	name := fields.Text("name")
	if name == "none" {
		return plan.Reading{Seen: plan.Absent, Why: "no image is called none"}
	}
	id := resource.ID(fmt.Sprintf("image of %s, %d", name, c.images[name]))
	return plan.Reading{Seen: plan.Present, Object: resource.Object{ID: id, Fields: resource.Map{"size": resource.Int(8)}}}
}

var idPattern = regexp.MustCompile(`^(arn:)?([a-z]+-[0-9]+)$`)

func refersTo(v resource.Value, id resource.ID) bool {
	return resource.Contains(v, func(e resource.Value) bool {
		s, _ := e.(resource.String)
		m := idPattern.FindStringSubmatch(string(s))
		return m != nil && m[2] == string(id)
	})
}

func (c *cloud) ids() []resource.ID { return slices.Sorted(maps.Keys(c.objects)) }

// valid checks an object's fields against the world.
func (c *cloud) valid(self resource.ID, kind string, fields resource.Map) error {
	k := c.kinds[kind]
	for name, v := range fields {
		f := k.Field(name)
		if f == nil {
			return fmt.Errorf("%s has no field %s", kind, name)
		}
		if resource.Contains(v, func(e resource.Value) bool {
			switch x := e.(type) {
			case resource.Ref, resource.Template, resource.Unknown, resource.Unread:
				return true
			case resource.String:
				m := idPattern.FindStringSubmatch(string(x))
				return m != nil && c.objects[resource.ID(m[2])] == nil
			}
			return false
		}) {
			return fmt.Errorf("%s of %s %s refers to what is not there: %s", name, kind, self, resource.Encode(v))
		}
		if !f.Unique {
			continue
		}
		for id, o := range c.objects {
			if id != self && o.kind == kind && resource.Equal(o.fields[name], v) {
				return fmt.Errorf("%s %s of %s is taken by %s", kind, name, self, id)
			}
		}
	}
	for _, f := range k.Fields {
		if f.Required && fields[f.Name] == nil {
			return fmt.Errorf("%s %s lacks %s", kind, self, f.Name)
		}
	}
	return nil
}

func (c *cloud) create(kind string, fields resource.Map, m resource.Mark) (resource.ID, error) {
	k := c.kinds[kind]
	for name := range fields {
		if f := k.Field(name); f == nil || f.Aspect != "" {
			return "", fmt.Errorf("%s cannot be created with %s", kind, name)
		}
	}
	if err := c.valid("", kind, fields); err != nil {
		return "", err
	}
	if k.Found {
		for _, id := range c.ids() {
			if o := c.objects[id]; o.kind == kind && o.mark.IsZero() && resource.Equal(o.fields["net"], fields["net"]) {
				o.mark = m
				delete(o.fields, "rules") // what it still held was nobody's, and did not count
				return id, nil
			}
		}
		return "", fmt.Errorf("there is no free %s to be found", kind)
	}
	id := c.put(kind, fields)
	if k.Marked {
		c.objects[id].mark = m
	}
	if kind == "t.net" {
		c.put("t.base", resource.Map{"net": resource.String(id)})
	}
	return id, nil
}

func (c *cloud) put(kind string, fields resource.Map) resource.ID {
	c.next++
	id := resource.ID(fmt.Sprintf("%s-%d", strings.TrimPrefix(kind, "t."), c.next))
	o := &thing{kind: kind, fields: resource.Map{}}
	for name, v := range fields {
		if !c.kinds[kind].Field(name).Unseen() {
			o.fields[name] = v
		}
	}
	if kind == "t.net" && o.fields["zone"] == nil {
		o.fields["zone"] = resource.String("z1")
	}
	if kind == "t.box" { // wherever there is room
		o.fields["zone"] = resource.String(fmt.Sprintf("z%d", 1+c.next%3/2))
	}
	c.objects[id] = o
	o.compute(id)
	return id
}

func (o *thing) compute(id resource.ID) {
	switch o.kind {
	case "t.net", "t.sub":
		o.fields["arn"] = resource.String("arn:" + id)
	case "t.box":
		o.fields["ip"] = resource.String(fmt.Sprintf("ip of %s.%d", id, o.rev))
	}
}

func (c *cloud) update(id resource.ID, aspect string, changes []resource.Change) error {
	o := c.objects[id]
	if o == nil {
		return fmt.Errorf("%s is not there", id)
	}
	k := c.kinds[o.kind]
	fields := maps.Clone(o.fields)
	for _, ch := range changes {
		f := k.Field(ch.Path[0])
		switch {
		case f == nil || f.Aspect != aspect || f.Computed:
			return fmt.Errorf("%s of %s is not of aspect %q", ch.Path, id, aspect)
		case f.Immutable:
			return fmt.Errorf("%s of %s is immutable", ch.Path, id)
		case f.Unseen():
			continue
		}
		if v := assign(fields[ch.Path[0]], ch.Path[1:], ch.After); v == nil {
			delete(fields, ch.Path[0])
		} else {
			fields[ch.Path[0]] = v
		}
		was, _ := o.fields["size"].(resource.Int)
		if now, ok := fields["size"].(resource.Int); ok && now < was {
			return fmt.Errorf("%s cannot shrink", id)
		}
	}
	delete(fields, "ip")
	if err := c.valid(id, o.kind, without(fields, "arn")); err != nil {
		return err
	}
	o.fields = fields
	if aspect == "" {
		o.rev++
	}
	o.compute(id)
	return nil
}

func without(m resource.Map, key string) resource.Map {
	m = maps.Clone(m)
	delete(m, key)
	return m
}

func assign(v resource.Value, p resource.Path, to resource.Value) resource.Value {
	if len(p) == 0 {
		return to
	}
	m, _ := v.(resource.Map)
	m = maps.Clone(m)
	if m == nil {
		m = resource.Map{}
	}
	if n := assign(m[p[0]], p[1:], to); n == nil {
		delete(m, p[0])
	} else {
		m[p[0]] = n
	}
	return m
}

func (c *cloud) delete(id resource.ID) error {
	o := c.objects[id]
	if o == nil {
		return fmt.Errorf("%s is not there", id)
	}
	for other, y := range c.objects {
		if y.kind == "t.base" && y.mark.IsZero() { // nobody's
			continue
		}
		if other != id && y.kind != "t.base" && refersTo(y.fields, id) || y.kind == "t.base" && refersTo(y.fields["rules"], id) {
			return fmt.Errorf("%s is in use by %s", id, other)
		}
	}
	delete(c.objects, id)
	for other, y := range c.objects {
		if y.kind == "t.base" && refersTo(y.fields["net"], id) { // it goes with its net
			delete(c.objects, other)
		}
	}
	return nil
}

func (c *cloud) object(id resource.ID) resource.Object {
	o := c.objects[id]
	return resource.Object{ID: id, Mark: o.mark, Fields: maps.Clone(o.fields)}
}
