package reconcile

import (
	"context"
	"maps"
	"slices"
	"strings"

	"isobar.dev/engine/ledger"
	"isobar.dev/engine/store"
)

// Words keeps what people said of objects by name. Approval fails with
// store.ErrNotFound where nobody said anything.
type Words interface {
	Approval(ctx context.Context, env, digest string) (store.Approval, error)
	Words(ctx context.Context, env string) ([]store.Approval, error)
	PutApproval(ctx context.Context, a store.Approval) error
}

// A word is on an object and not on an address: it is kept under the name that the
// object had when it was said, and goes by its token, which a move within the
// environment leaves as it is. An environment that was renamed gives its objects new
// tokens; a word is on the same object in both ledgers, until the former one lets go
// of it and leaves the word to the other.

// tokenIn is the token in a name that objectName made.
func tokenIn(name string) string { return name[strings.LastIndexByte(name, ' ')+1:] }

// hearing is where words are, and what they are on.
type hearing struct {
	words  Words
	ledger Ledger
}

// spoken gives the last word on each object of an environment, by its token; tokens
// are those that its ledger owns. Words in other environments, but those of apart,
// count where their ledgers have the very object: to be deleted it has to be named
// here.
func (h hearing) spoken(ctx context.Context, env string, tokens map[ownedID]string, apart []string) (map[string]store.Approval, error) {
	out, err := lastWords(ctx, h.words, env)
	if err != nil || len(tokens) == 0 {
		return out, err
	}
	rows, err := h.ledger.Environments(ctx)
	if err != nil {
		return nil, err
	}
	repo := ""
	for i := range rows {
		if rows[i].Name == env {
			repo = rows[i].Repo
		}
	}
	for i := range rows {
		row := &rows[i]
		if row.Name == env || slices.Contains(apart, row.Name) || repo != "" && row.Repo != "" && row.Repo != repo {
			continue
		}
		there, err := lastWords(ctx, h.words, row.Name)
		if err != nil {
			return nil, err
		}
		maps.DeleteFunc(there, func(_ string, a store.Approval) bool { return a.Verdict == store.Delete })
		if len(there) == 0 {
			continue
		}
		s, err := h.ledger.State(ctx, row.Name)
		if err != nil {
			return nil, err
		}
		for id, token := range tokensOf(s) {
			here, both := tokens[id]
			if a, said := there[token]; both && said && !a.At.Before(out[here].At) {
				out[here] = a
			}
		}
	}
	return out, nil
}

// lastWords gives the words kept in one environment, the last one of each token.
func lastWords(ctx context.Context, words Words, env string) (map[string]store.Approval, error) {
	said, err := words.Words(ctx, env)
	if err != nil {
		return nil, err
	}
	out := make(map[string]store.Approval, len(said))
	for _, a := range said {
		if token := tokenIn(a.Digest); !a.At.Before(out[token].At) {
			out[token] = a
		}
	}
	return out, nil
}

// tokensOf gives the tokens of a ledger's objects.
func tokensOf(s *ledger.State) map[ownedID]string {
	out := make(map[ownedID]string, len(s.Entries))
	for k, e := range s.Entries {
		if e.Made && e.Record.Scope != "" {
			out[ownedID{k.Address.Type(), e.Record.Scope, e.Record.ID}] = k.Token
		}
	}
	return out
}

// carry leaves the words on objects that another environment's ledger has by now
// to that one, before this one lets go of them.
func (r *Runner) carry(ctx context.Context, d *Draft) error {
	if r.Words == nil || len(d.away) == 0 {
		return nil
	}
	states := map[string]*ledger.State{}
	for _, to := range d.away {
		if states[to.Env] != nil {
			continue
		}
		s, err := r.Ledger.State(ctx, to.Env)
		if err != nil {
			return err
		}
		states[to.Env] = s
		said, err := hearing{r.Words, r.Ledger}.spoken(ctx, to.Env, tokensOf(s), nil)
		if err != nil {
			return err
		}
		for token, a := range said {
			e := s.Holding(token)
			if e == nil || a.Env == to.Env {
				continue
			}
			a.Env, a.Digest = to.Env, objectName(e.Key)
			if err := r.Words.PutApproval(ctx, a); err != nil {
				return err
			}
		}
	}
	return nil
}
