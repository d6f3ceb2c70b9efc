package fake

import (
	"cmp"
	"context"
	"errors"
	"maps"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

type session struct {
	w     *World
	scope string
}

func open(ctx context.Context, w *World, c provider.Config) (provider.Session, error) {
	if err := ctx.Err(); err != nil {
		return nil, &resource.Failure{Class: resource.Transient, Op: "fake:open", Err: err}
	}
	region := "main"
	for _, name := range c.Settings.Keys() {
		switch name {
		case "region":
			region = c.Settings.Text(name)
		case "credentials": // whoever names some has been looked at already
		case "user":
			if c.Settings.Text(name) == "stranger" {
				return nil, &resource.Failure{Class: resource.Denied, Op: "fake:open", Code: "NoSuchUser", Message: "the user is not known"}
			}
		default:
			return nil, &resource.Failure{Class: resource.Invalid, Op: "fake:open", Code: "BadSetting", Message: "there is no setting " + name}
		}
	}
	return &session{w: w, scope: Name + "/" + region}, nil
}

// Scope implements provider.Session: "fake/<region>".
func (s *session) Scope() string { return s.scope }

// kindAt gives the kind that the first telling object names.
func (w *World) kindAt(objects ...resource.Object) (*kind, error) {
	for _, o := range objects {
		if o.Address.Kind == "" {
			continue
		}
		if k := w.kindNamed(o.Address.Kind); k != nil && k.desc.Lookup {
			return nil, fault(resource.Bug, "LookedUp", "a %s is looked up, never made or changed", k.Name)
		} else if k != nil {
			return k, nil
		}
		return nil, fault(resource.Bug, "NoSuchKind", "there is no kind %s", o.Address.Kind)
	}
	return nil, fault(resource.Bug, "NoKind", "the object's address names no kind")
}

// Create implements provider.Session.
func (s *session) Create(ctx context.Context, want resource.Object, m resource.Mark) (provider.Progress, error) {
	k, err := s.w.kindAt(want)
	if err != nil {
		return provider.Progress{}, err
	}
	var p provider.Progress
	told := false // beside an error
	err = s.w.run(ctx, Call{Op: provider.OpCreate, Kind: k.Name, Token: m.Token, Scope: s.scope}, func(_ *Call, broken string) (err error) {
		if p, err = s.w.create(k, s.scope, want.Fields, m); err == nil && broken != "" {
			told = true
			err = fault(resource.Invalid, "Broken", "%s", broken)
		}
		return err
	})
	if err != nil && !told {
		p = provider.Progress{} // the answer is lost with whatever it told
	}
	return p, err
}

// create is the world's own. The lock is held.
func (w *World) create(k *kind, scope string, want resource.Map, m resource.Mark) (provider.Progress, error) {
	if err := k.shape(want); err != nil {
		return provider.Progress{}, err
	}
	for name := range want {
		if a := k.desc.Field(name).Aspect; a != "" {
			return provider.Progress{}, fault(resource.Invalid, "NotAtCreate", "%s.%s is set by an update of %s", k.Name, name, a)
		}
	}
	var id resource.ID
	switch {
	case k.Settle == provider.SettleToken:
		if u, ok := w.tokens[key{k.Name, resource.ID(m.Token)}]; ok {
			return w.replayed(k, u, scope, want)
		}
	case k.Settle == provider.SettleChosen:
		id = chosenID(k, m)
		if w.things[key{k.Name, id}] != nil {
			return provider.Progress{}, fault(resource.Conflict, "AlreadyExists", "there is a %s %s already", k.Name, id)
		}
	}
	fields := k.filled(want)
	if err := cmp.Or(w.bound(k, scope, fields), w.whole(k, scope, "", fields)); err != nil {
		return provider.Progress{}, err
	}
	drops := w.knobs.drops[k.Name]
	if drops {
		delete(fields, "tags")
	}
	if k.Unmarked || drops {
		m = resource.Mark{}
	}
	t := w.add(scope, k.Name, id, version{fields: fields, mark: m})
	if k.Settle == provider.SettleToken {
		w.tokens[key{k.Name, resource.ID(m.Token)}] = used{id: t.id, fields: want}
	}
	if k.long {
		h := w.start(t)
		return provider.Progress{Object: resource.Object{Address: resource.Address{Provider: Name, Kind: k.Name}, ID: t.id, Mark: m}, Handle: h, After: w.opt.PollAfter}, nil
	}
	return provider.Progress{Object: t.object(k, t.now()), Dropped: drops}, nil
}

// replayed answers a create whose token was seen before.
func (w *World) replayed(k *kind, u used, scope string, want resource.Map) (provider.Progress, error) {
	if !resource.Equal(u.fields, want) {
		return provider.Progress{}, fault(resource.Invalid, "IdempotentParameterMismatch", "the token was used with other fields")
	}
	t := w.find(scope, k.Name, u.id)
	if t == nil {
		return provider.Progress{}, fault(resource.NotFound, "TokenSpent", "what the token made is gone")
	}
	return provider.Progress{Object: t.object(k, t.now())}, nil
}

func chosenID(k *kind, m resource.Mark) resource.ID { return resource.ID(k.Name + "-" + m.Token) }

// Rehearse implements provider.Session.
func (s *session) Rehearse(ctx context.Context, want resource.Object) error {
	k, err := s.w.kindAt(want)
	if err != nil {
		return err
	}
	return s.w.run(ctx, Call{Op: provider.OpRehearse, Kind: k.Name, Scope: s.scope}, func(*Call, string) error {
		return s.w.bound(k, s.scope, k.filled(want.Fields))
	})
}

// Update implements provider.Session.
func (s *session) Update(ctx context.Context, live, want resource.Object, changes []resource.Change) (provider.Progress, error) {
	k, err := s.w.kindAt(live, want)
	if err != nil {
		return provider.Progress{}, err
	}
	aspect, err := k.aspectOf(changes)
	if err != nil {
		return provider.Progress{}, err
	}
	var p provider.Progress
	err = s.w.run(ctx, Call{Op: provider.OpUpdate, Kind: k.Name, ID: live.ID, Aspect: aspect, Scope: s.scope}, func(*Call, string) (err error) {
		p, err = s.update(k, live.ID, want.Fields, changes)
		return err
	})
	if err != nil {
		p = provider.Progress{}
	}
	if half := (*Halfway)(nil); errors.As(err, &half) {
		p.Object.Fields = half.Left
	}
	return p, err
}

func (k *kind) aspectOf(changes []resource.Change) (string, error) {
	var aspect string
	for i, c := range changes {
		if len(c.Path) == 0 || k.desc.Field(c.Path[0]) == nil {
			return "", fault(resource.Bug, "BadPath", "%s has no field %s", k.Name, c.Path)
		}
		a := k.desc.Field(c.Path[0]).Aspect
		if i > 0 && a != aspect {
			return "", fault(resource.Bug, "TwoAspects", "one update of %s changes %q and %q", k.Name, aspect, a)
		}
		aspect = a
	}
	return aspect, nil
}

func (s *session) update(k *kind, id resource.ID, want resource.Map, changes []resource.Change) (provider.Progress, error) {
	t := s.w.find(s.scope, k.Name, id)
	if t == nil {
		return provider.Progress{}, fault(resource.NotFound, "NoSuch", "there is no %s %s", k.Name, id)
	}
	if t.pending != "" {
		return provider.Progress{}, fault(resource.Conflict, "Busy", "%s %s is being made", k.Name, id)
	}
	before := t.now().fields
	after := maps.Clone(before)
	touched := resource.Map{}
	for _, c := range changes {
		name := c.Path[0]
		v := c.After
		if v != nil && resource.Contains(v, unresolved) {
			v = at(want, c.Path)
		}
		if after[name] = put(after[name], c.Path[1:], v); after[name] == nil {
			if d := k.defaultOf(k.desc.Field(name)); d != nil {
				after[name] = d
			} else {
				delete(after, name)
			}
		}
		if after[name] != nil {
			touched[name] = after[name]
		}
	}
	if err := k.shape(touched); err != nil {
		return provider.Progress{}, err
	}
	for _, c := range changes {
		f := k.desc.Field(c.Path[0])
		if resource.Equal(before[f.Name], after[f.Name]) {
			delete(touched, f.Name) // what it refers to may be gone by now
			continue
		}
		if f.Immutable {
			return provider.Progress{}, fault(resource.Invalid, "Immutable", "%s.%s cannot be changed", k.Name, f.Name)
		}
		if f.GrowOnly && resource.Compare(after[f.Name], before[f.Name]) < 0 {
			return provider.Progress{}, fault(resource.Invalid, "Shrinks", "%s.%s can only grow", k.Name, f.Name)
		}
	}
	if err := cmp.Or(s.w.bound(k, s.scope, touched), s.w.whole(k, s.scope, id, after)); err != nil {
		return provider.Progress{}, err
	}
	if !resource.Equal(before, after) {
		if k.fill != nil {
			writes, _ := before["serial"].(resource.Int)
			k.fill(after, int(writes)+1)
		}
		s.w.write(t, version{fields: after, mark: t.now().mark})
	}
	return provider.Progress{Object: t.object(k, t.now())}, nil
}

// at gives the node that path leads to, or nil.
func at(v resource.Value, path resource.Path) resource.Value {
	for _, e := range path {
		m, _ := v.(resource.Map)
		v = m[e]
	}
	return v
}

// put returns node with v at path; nil removes. Nothing of node is written to.
func put(node resource.Value, path resource.Path, v resource.Value) resource.Value {
	if len(path) == 0 {
		return v
	}
	m, _ := node.(resource.Map)
	out := resource.Map{}
	maps.Copy(out, m)
	if n := put(out[path[0]], path[1:], v); n == nil {
		delete(out, path[0])
	} else {
		out[path[0]] = n
	}
	return out
}

// Delete implements provider.Session.
func (s *session) Delete(ctx context.Context, live, applied resource.Object) (provider.Progress, error) {
	k, err := s.w.kindAt(live, applied)
	if err != nil {
		return provider.Progress{}, err
	}
	return provider.Progress{}, s.w.run(ctx, Call{Op: provider.OpDelete, Kind: k.Name, ID: live.ID, Scope: s.scope}, func(*Call, string) error {
		t := s.w.find(s.scope, k.Name, live.ID)
		if t == nil {
			return nil
		}
		if t.pending != "" {
			return fault(resource.Conflict, "Busy", "%s %s is being made", k.Name, live.ID)
		}
		if u := s.w.userOf(t); u != nil {
			return fault(resource.Conflict, "InUse", "%s %s is in use by %s %s", k.Name, live.ID, u.kind, u.id)
		}
		s.w.write(t, version{mark: t.now().mark, fields: t.now().fields, gone: true})
		return nil
	})
}

// Mark implements provider.Session.
func (s *session) Mark(ctx context.Context, live resource.Object, m *resource.Mark) error {
	k, err := s.w.kindAt(live)
	if err != nil {
		return err
	}
	c := Call{Op: provider.OpMark, Kind: k.Name, ID: live.ID, Scope: s.scope}
	if m != nil {
		c.Token = m.Token
	}
	return s.w.run(ctx, c, func(*Call, string) error {
		t := s.w.find(s.scope, k.Name, live.ID)
		switch {
		case t == nil:
			return fault(resource.NotFound, "NoSuch", "there is no %s %s", k.Name, live.ID)
		case k.Unmarked && m == nil:
			return nil
		case k.Unmarked:
			return fault(resource.Invalid, "NoMark", "a %s cannot carry a mark", k.Name)
		}
		v := version{fields: t.now().fields}
		if m != nil {
			v.mark = *m
		}
		s.w.write(t, v)
		return nil
	})
}
