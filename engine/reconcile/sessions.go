package reconcile

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"time"

	"isobar.dev/engine/apply"
	"isobar.dev/engine/ledger"
	"isobar.dev/engine/provider"
	"isobar.dev/engine/resource"
	"isobar.dev/engine/spec"
)

// Sessions opens sessions and keeps them, one for the same provider and
// settings, so that environments share reads and budgets. Safe for concurrent
// use.
type Sessions struct {
	Catalogue provider.Catalogue
	Options   provider.Options
	// Profile gives the credentials of a name, nil where there are none. A nil
	// Profile knows no names.
	Profile func(name string) *provider.Credentials

	mu   sync.Mutex
	pool map[string]*opening
}

type opening struct {
	done    chan struct{}
	session provider.Session
	err     error
}

// openTimeout bounds the opening of a session: a provider asks whose its
// credentials are, which is a call or two.
const openTimeout = time.Minute

// accounts are the sessions of one run by alias, and why others have none.
type accounts struct {
	accounts map[string]apply.Account
	blind    map[string]string
}

func (a accounts) sessions() map[string]provider.Session {
	out := make(map[string]provider.Session, len(a.accounts))
	for alias, acc := range a.accounts {
		out[alias] = acc.Session
	}
	return out
}

// scopes says what each alias's session sees.
func (a accounts) scopes() map[string]string {
	out := make(map[string]string, len(a.accounts))
	for alias, acc := range a.accounts {
		out[alias] = acc.Session.Scope()
	}
	return out
}

// who is for whom sessions are opened.
type who struct {
	estate string
	may    func(profile string) error // nil: any profile
}

// open gives a session for each alias of a spec, and for each that only the
// ledger still knows. A refused one is tried again by the next run.
func (s *Sessions) open(ctx context.Context, by who, aliases map[string]spec.Provider, state *ledger.State) accounts {
	type want struct {
		typ      string
		settings resource.Map
	}
	wants := map[string]want{}
	for alias, p := range aliases {
		wants[alias] = want{p.Type, p.Settings}
	}
	for _, e := range slices.Concat(state.Sorted(), state.GivenUp()) {
		rec := e.Record
		if e.Open != nil && rec.Settings == nil {
			rec = e.Open.Record
		}
		alias := cmp.Or(rec.Meta.Alias, e.Address.Provider)
		if w, ok := wants[alias]; ok && (rec.Settings == nil || resource.Equal(w.settings, rec.Settings)) {
			continue
		} else if ok {
			alias += " (before)" // its settings changed: what it made before lives there
		}
		if rec.Settings != nil {
			wants[alias] = want{e.Address.Provider, rec.Settings}
		}
	}
	out := accounts{accounts: map[string]apply.Account{}, blind: map[string]string{}}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for alias, w := range wants {
		wg.Go(func() {
			session, err := s.prove(ctx, by, w.typ, provider.Config{Alias: alias, Estate: by.estate, Settings: w.settings})
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				out.blind[alias] = err.Error()
				return
			}
			out.accounts[alias] = apply.Account{Session: session, Settings: w.settings}
		})
	}
	wg.Wait()
	return out
}

// prove gives a session with the credentials that its settings name.
func (s *Sessions) prove(ctx context.Context, by who, typ string, c provider.Config) (provider.Session, error) {
	name := c.Settings.Text("credentials")
	if by.may != nil {
		if err := by.may(name); err != nil {
			return nil, &resource.Failure{Class: resource.Denied, Message: err.Error(), Err: err}
		}
	}
	if name != "" {
		if s.Profile != nil {
			c.Credentials = s.Profile(name)
		}
		switch {
		case c.Credentials == nil:
			return nil, &resource.Failure{Class: resource.Denied, Message: "no server's file declares credentials " + name +
				": add them to it under credentials, or name the file with --config"}
		case c.Credentials.Provider != typ:
			return nil, &resource.Failure{Class: resource.Denied, Message: "the credentials " + name + " are for " + c.Credentials.Provider + ", not for " + typ}
		}
	}
	return s.get(ctx, typ, c)
}

// get gives the kept session of a provider and settings, opening it once.
func (s *Sessions) get(ctx context.Context, typ string, c provider.Config) (provider.Session, error) {
	t, ok := s.Catalogue.Type(typ)
	if !ok {
		return nil, &resource.Failure{Class: resource.Invalid, Message: "this isobar has no provider " + typ}
	}
	key := typ + "\x00" + c.Estate + "\x00" + string(resource.Encode(c.Settings))
	if c.Credentials != nil {
		key += "\x00" + c.Credentials.Version
	}
	s.mu.Lock()
	if s.pool == nil {
		s.pool = map[string]*opening{}
	}
	o := s.pool[key]
	if o == nil {
		o = &opening{done: make(chan struct{})}
		s.pool[key] = o
		s.mu.Unlock()
		// Whoever wants this session waits for it.
		within, cancel := context.WithTimeoutCause(ctx, openTimeout, &provider.SlowError{Within: openTimeout})
		if h := s.Options.Hosts; h != nil {
			within = provider.WithPatience(within, h)
		}
		session, err := t.Open(within, c)
		cancel()
		if err == nil {
			around := s.Options
			around.Service = t.Service
			o.session = provider.Wrap(session, around)
		}
		o.err = err
		if err != nil {
			s.mu.Lock()
			delete(s.pool, key)
			s.mu.Unlock()
		}
		close(o.done)
		return o.session, o.err
	}
	s.mu.Unlock()
	select {
	case <-o.done:
		return o.session, o.err
	case <-ctx.Done():
		return nil, &resource.Failure{Class: resource.Transient, Message: ctx.Err().Error(), Err: ctx.Err()}
	}
}
