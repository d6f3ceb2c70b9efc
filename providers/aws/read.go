package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"
	"golang.org/x/sync/errgroup"

	"isobar.dev/engine/resource"
)

const (
	// maxFilterValues is how many values the filters of one request take; more
	// are answered with FilterLimitExceeded.
	// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
	maxFilterValues = 200
	// maxPage is the largest page of the Describe calls here, by their API
	// pages; DescribeRouteTables has a limit of its own.
	maxPage = 1000
	// readers bounds the calls that one Read has under way in each of its
	// stages.
	readers = 8
)

// Read implements provider.Session: kinds side by side, and within a kind one
// list for all marks of an estate, then batches for what it did not cover.
func (s *session) Read(ctx context.Context, wants []resource.Want) []resource.Answer {
	out := make([]resource.Answer, len(wants))
	byKind := map[string][]int{}
	for i, w := range wants {
		byKind[w.Kind] = append(byKind[w.Kind], i)
	}
	at := s.now()
	var g errgroup.Group
	g.SetLimit(readers)
	for n, is := range byKind {
		g.Go(func() error {
			k, err := s.kind(n)
			if err != nil {
				for _, i := range is {
					out[i] = resource.Answer{Err: err, At: at}
				}
				return nil
			}
			r := &reader{s: s, kind: k, found: map[resource.ID]resource.Object{}}
			for _, i := range is {
				r.wants = append(r.wants, wants[i])
			}
			for j, a := range r.read(ctx, at) {
				out[is[j]] = a
			}
			return nil
		})
	}
	_ = g.Wait() // errors are answers
	return out
}

// reader answers the wants on one kind.
type reader struct {
	s     *session
	kind  *kind
	wants []resource.Want

	found    map[resource.ID]resource.Object
	filtered map[string][]resource.ID // what each want's own filter gave
	errs     map[string]error         // by the name of the list that failed
}

// The names of lists; a filter's list is named by its spelling.
const (
	listAll    = "all"
	listEstate = "estate"
	listIDs    = "ids"
	listTokens = "tokens"
)

func (r *reader) read(ctx context.Context, at time.Time) []resource.Answer {
	r.errs, r.filtered = map[string]error{}, map[string][]resource.ID{}
	r.filters(ctx)
	if slices.ContainsFunc(r.wants, func(w resource.Want) bool { return w.By.All }) {
		r.list(ctx, listAll, nil)
	} else {
		if es := r.gather(func(b resource.Selector) []string { return []string{b.Estate} }); len(es) > 0 {
			r.batches(ctx, listEstate, "tag:"+resource.MarkEstate, es)
		}
		r.batches(ctx, listIDs, r.kind.idFilter, r.gather(func(b resource.Selector) []string {
			ids := make([]string, 0, len(b.IDs))
			for _, id := range b.IDs {
				if _, ok := r.found[id]; !ok {
					ids = append(ids, string(id))
				}
			}
			return ids
		}))
		r.batches(ctx, listTokens, "tag:"+resource.MarkToken, r.gather(func(b resource.Selector) []string {
			if len(r.withToken(b.Token)) > 0 {
				return nil
			}
			return []string{b.Token}
		}))
	}
	enrichErr := r.enrich(ctx)
	out := make([]resource.Answer, len(r.wants))
	for i, w := range r.wants {
		out[i] = resource.Answer{At: at, Err: r.errs[r.source(w.By)]}
		for _, id := range r.chosen(w.By) {
			if o, ok := r.found[id]; ok {
				out[i].Objects = append(out[i].Objects, o)
			}
		}
		if w.By.IDs != nil && len(out[i].Objects) == len(slices.Compact(slices.Sorted(slices.Values(w.By.IDs)))) {
			out[i].Err = nil // another list covered all that this want asks for
		}
		out[i].Err = cmp.Or(out[i].Err, enrichErr)
	}
	return out
}

// filters makes one list for each distinct filter of the provider's own.
func (r *reader) filters(ctx context.Context) {
	for _, w := range r.wants {
		key := filterKey(w.By.Filter)
		if _, done := r.filtered[key]; done || len(w.By.Filter) == 0 {
			continue
		}
		fs := make([]types.Filter, 0, len(w.By.Filter))
		for _, n := range slices.Sorted(maps.Keys(w.By.Filter)) {
			fs = append(fs, filter(n, w.By.Filter[n]))
		}
		r.filtered[key] = r.list(ctx, key, fs)
	}
}

func filterKey(f map[string]string) string {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(f)) {
		b.WriteString("\x00" + n + "\x00" + f[n])
	}
	return b.String()
}

// gather takes text of the wants' selectors, each once and sorted.
func (r *reader) gather(of func(resource.Selector) []string) []string {
	var out []string
	for _, w := range r.wants {
		for _, v := range of(w.By) {
			if v != "" {
				out = append(out, v)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// batches lists by one filter, as many values a call as it takes.
func (r *reader) batches(ctx context.Context, list, by string, values []string) {
	for part := range slices.Chunk(values, maxFilterValues) {
		r.list(ctx, list, []types.Filter{filter(by, part...)})
	}
}

// list makes one Describe, all its pages, and keeps what came.
func (r *reader) list(ctx context.Context, list string, fs []types.Filter) []resource.ID {
	objs, err := r.kind.list(ctx, r.s, fs)
	r.errs[list] = cmp.Or(r.errs[list], err)
	ids := make([]resource.ID, len(objs))
	for i, o := range objs {
		r.found[o.ID], ids[i] = o, o.ID
	}
	return ids
}

// source names the list that a selector's answer depends on.
func (r *reader) source(b resource.Selector) string {
	switch {
	case len(b.Filter) > 0:
		return filterKey(b.Filter)
	case slices.ContainsFunc(r.wants, func(w resource.Want) bool { return w.By.All }):
		return listAll
	case b.Estate != "":
		return listEstate
	case b.Token != "":
		return listTokens
	}
	return listIDs
}

// chosen gives the ids that a selector picks, sorted.
func (r *reader) chosen(b resource.Selector) []resource.ID {
	var ids []resource.ID
	switch {
	case len(b.Filter) > 0:
		ids = slices.Clone(r.filtered[filterKey(b.Filter)])
	case b.All:
		ids = slices.Collect(maps.Keys(r.found))
	case b.Estate != "":
		for id, o := range r.found {
			if o.Mark.Estate == b.Estate {
				ids = append(ids, id)
			}
		}
	case b.Token != "":
		ids = r.withToken(b.Token)
	default:
		ids = slices.Clone(b.IDs)
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

func (r *reader) withToken(token string) []resource.ID {
	var ids []resource.ID
	for id, o := range r.found {
		if token != "" && o.Mark.Token == token {
			ids = append(ids, id)
		}
	}
	return ids
}

// enrich reads what the lists do not carry, for the objects that some want
// picks and the aspects that it asks for.
func (r *reader) enrich(ctx context.Context) error {
	if r.kind.enrich == nil {
		return nil
	}
	asks := map[resource.ID]aspects{}
	for _, w := range r.wants {
		for _, id := range r.chosen(w.By) {
			asks[id] = asks[id].with(aspectsOf(w.Aspects))
		}
	}
	var objs []resource.Object
	for _, id := range slices.Sorted(maps.Keys(asks)) {
		if o, ok := r.found[id]; ok {
			o.Fields = maps.Clone(o.Fields)
			objs = append(objs, o)
		}
	}
	kept, err := r.kind.enrich(ctx, r.s, objs, asks)
	for _, o := range objs {
		delete(r.found, o.ID)
	}
	for _, o := range kept {
		r.found[o.ID] = o
	}
	return err
}

// filter names one filter. Its wildcards are taken literally.
// https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/Using_Filtering.html
func filter(by string, values ...string) types.Filter {
	esc := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`)
	out := make([]string, len(values))
	for i, v := range values {
		out[i] = esc.Replace(v)
	}
	return types.Filter{Name: aws.String(by), Values: out}
}

// paginator is the form that all paginators of the SDK share.
type paginator[O any] interface {
	HasMorePages() bool
	NextPage(ctx context.Context, opts ...func(*ec2.Options)) (O, error)
}

// pages takes every page. What came before an error stays taken.
func pages[O any](ctx context.Context, p paginator[O], take func(O)) error {
	for p.HasMorePages() {
		page, err := reading(ctx, func(ctx context.Context) (O, error) { return p.NextPage(ctx) })
		if err != nil {
			return err
		}
		take(page)
	}
	return nil
}
