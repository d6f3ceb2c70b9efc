package fake

import (
	"fmt"
	"maps"

	"isobar.dev/engine/resource"
)

// Mutate changes an object behind isobar's back, as a person with a console
// does: change gets a copy of its fields, to write into. It shows at once.
func (w *World) Mutate(kind string, id resource.ID, change func(fields resource.Map)) error {
	return w.outside(kind, id, func(v *version) { change(v.fields) })
}

// Remark gives an object another mark behind isobar's back.
func (w *World) Remark(kind string, id resource.ID, m resource.Mark) error {
	return w.outside(kind, id, func(v *version) { v.mark = m })
}

// Unmark removes an object's mark behind isobar's back.
func (w *World) Unmark(kind string, id resource.ID) error {
	return w.outside(kind, id, func(v *version) { v.mark = resource.Mark{} })
}

// Remove deletes an object behind isobar's back, whatever refers to it.
func (w *World) Remove(kind string, id resource.ID) error {
	return w.outside(kind, id, func(v *version) { v.gone = true })
}

func (w *World) outside(kind string, id resource.ID, change func(*version)) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.things[key{kind, id}]
	if t == nil || t.now().gone {
		return fmt.Errorf("there is no %s %s in the world", kind, id)
	}
	v := version{fields: maps.Clone(t.now().fields), mark: t.now().mark, sure: true}
	change(&v)
	w.write(t, v)
	return nil
}

// Add puts an object into the world behind isobar's back: a foreign one, or a
// copy that inherited its mark. It gets a new id, which Add returns. No rule
// but the fields' defaults is applied.
func (w *World) Add(scope string, o resource.Object) (resource.ID, error) {
	k := w.kindNamed(o.Address.Kind)
	if k == nil {
		return "", fmt.Errorf("there is no kind %q", o.Address.Kind)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	fields := k.filled(o.Fields)
	t := w.add(scope, k.Name, "", version{fields: fields, mark: o.Mark, sure: true})
	return t.id, nil
}
