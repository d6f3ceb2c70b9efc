package fake

import (
	"context"
	"slices"

	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
)

// Read implements provider.Session.
func (s *session) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	c := Call{Op: provider.OpRead, Scope: s.scope}
	if len(wants) == 1 {
		c.Kind = wants[0].Kind
	}
	err := s.w.run(ctx, c, func(*Call, string) error {
		for i := range wants {
			out[i] = s.read(&wants[i])
			out[i].At = s.w.opt.Now()
		}
		return nil
	})
	if err != nil {
		for i := range out {
			out[i] = resource.Answer{Err: err}
		}
	}
	return out
}

// read answers one want. The lock is held.
func (s *session) read(want *resource.Want) resource.Answer {
	k := s.w.kindNamed(want.Kind)
	if k == nil {
		return resource.Answer{Err: fault(resource.Bug, "NoSuchKind", "there is no kind %s", want.Kind)}
	}
	if s.w.knobs.denied[[2]string{k.Name, ""}] {
		return resource.Answer{Err: fault(resource.Denied, "NotAllowed", "reads of %s are not allowed", k.Name)}
	}
	if k.desc.Lookup {
		return s.w.lookUp(k, want.By.Lookup)
	}
	var a resource.Answer
	limit, limited := s.w.knobs.lists[k.Name]
	for _, t := range s.w.all(s.scope, k.Name) {
		if len(want.By.IDs) > 0 && !slices.Contains(want.By.IDs, t.id) {
			continue
		}
		v := s.w.seen(t)
		if v == nil || t.pending != "" {
			continue
		}
		o := t.object(k, v)
		if !selected(k, &want.By, &o) {
			continue
		}
		if limited && len(want.By.IDs) == 0 && len(a.Objects) >= limit {
			break
		}
		s.veil(k, &o)
		a.Objects = append(a.Objects, o)
	}
	if limited && len(want.By.IDs) == 0 {
		a.Err = fault(resource.Transient, "ListBroke", "the list of %s broke off", k.Name)
	}
	return a
}

// veil puts Unread in place of the fields of denied aspects.
func (s *session) veil(k *kind, o *resource.Object) {
	for i := range k.desc.Fields {
		f := &k.desc.Fields[i]
		if f.Aspect != "" && s.w.knobs.denied[[2]string{k.Name, f.Aspect}] {
			o.Fields[f.Name] = resource.Unread{Why: "reading " + f.Aspect + " is not allowed"}
		}
	}
}

func selected(k *kind, by *resource.Selector, o *resource.Object) bool {
	switch {
	case len(by.IDs) > 0, by.All:
		return true
	case by.Estate != "":
		return o.Mark.Estate == by.Estate
	case by.Token != "":
		return o.Mark.Token == by.Token
	case by.Named != "":
		return string(o.ID) == by.Named || k.key != "" && o.Fields.Text(k.key) == by.Named
	case len(by.Filter) > 0:
		for name, text := range by.Filter {
			if o.Fields.Text(name) != text {
				return false
			}
		}
		return true
	}
	return false
}

// Find implements provider.Session.
func (s *session) Find(ctx context.Context, in provider.Intent) (provider.Progress, error) {
	k, err := s.w.kindAt(in.Want)
	if err != nil {
		return provider.Progress{}, err
	}
	op := provider.OpFind
	if in.LookOnly { // it makes nothing
		op = provider.OpRead
	}
	var p provider.Progress
	err = s.w.run(ctx, Call{Op: op, Kind: k.Name, Token: in.Mark.Token, Scope: s.scope}, func(c *Call, _ string) (err error) {
		p, c.Replay, err = s.find(ctx, k, &in)
		return err
	})
	if err != nil {
		p = provider.Progress{}
	}
	return p, err
}

func (s *session) find(ctx context.Context, k *kind, in *provider.Intent) (p provider.Progress, replay bool, err error) {
	if copies := s.bearers(k, in.Mark); len(copies) > 1 && k.Settle != provider.SettleNatural && k.Settle != provider.SettleChosen {
		return p, false, provider.Undecided("fake:Find", copies)
	}
	for _, t := range s.w.all(s.scope, k.Name) {
		if !s.isOf(k, t, in) {
			continue
		}
		if t.pending != "" {
			return provider.Progress{Object: resource.Object{Address: resource.Address{Provider: Name, Kind: k.Name}, ID: t.id}, Handle: t.pending, After: s.w.opt.PollAfter}, false, nil
		}
		if v := s.w.seen(t); v != nil {
			return provider.Progress{Object: t.object(k, v)}, false, nil
		}
	}
	if k.Settle != provider.SettleToken || in.LookOnly {
		return provider.Progress{}, false, nil
	}
	if err := provider.CheckFence(ctx); err != nil {
		return provider.Progress{}, false, &provider.FencedError{Cause: err}
	}
	p, err = s.w.create(k, s.scope, in.Want.Fields, in.Mark)
	if resource.ClassOf(err) == resource.NotFound || resource.ClassOf(err) == resource.Invalid {
		return provider.Progress{}, true, nil // nothing of it is there, and the same call can make nothing
	}
	return p, true, err
}

// bearers gives the objects that are seen to bear a mark.
func (s *session) bearers(k *kind, m resource.Mark) []resource.Object {
	var out []resource.Object
	for _, t := range s.w.all(s.scope, k.Name) {
		if v := s.w.seen(t); v != nil && v.mark.Token == m.Token && v.mark.Estate == m.Estate {
			out = append(out, t.object(k, v))
		}
	}
	return out
}

// isOf reports whether t is what the intent's create made, by the kind's rule.
func (s *session) isOf(k *kind, t *thing, in *provider.Intent) bool {
	v := t.now()
	switch {
	case k.Settle == provider.SettleNatural:
		if !resource.Equal(v.fields[k.key], in.Want.Fields[k.key]) {
			return false
		}
		for name, f := range in.Want.Fields {
			if !resource.Equal(v.fields[name], f) {
				return false // the name is taken by something else
			}
		}
		return true
	case k.Settle == provider.SettleChosen:
		return t.id == chosenID(k, in.Mark)
	default:
		return v.mark.Token == in.Mark.Token && v.mark.Estate == in.Mark.Estate
	}
}
