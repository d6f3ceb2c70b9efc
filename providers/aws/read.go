package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
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
			r := &reader{s: s, kind: k, found: map[resource.ID]resource.Object{}, ended: map[resource.ID]bool{}}
			for _, i := range is {
				r.wants = append(r.wants, wants[i])
			}
			answers := r.read
			if k.lookUp != nil {
				answers = func(ctx context.Context, at time.Time) []resource.Answer { return s.lookUp(ctx, k, r.wants, at) }
			}
			for j, a := range answers(ctx, at) {
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
	ended    map[resource.ID]bool     // tombstones
	filtered map[string][]resource.ID // what each want's own filter gave
	errs     map[string]error         // by the name of the list that failed
}

// The ways to look for objects. What a way asks for is one list; a filter's
// list is named by its spelling.
const (
	byAll    = "all"
	byEstate = "estate"
	byIDs    = "ids"
	byTokens = "tokens"
	byFilter = "filter"
)

// query asks for objects of one kind.
type query struct {
	way    string
	values []string          // estates, ids or tokens
	filter map[string]string // the provider's own filter, for byFilter
}

func (r *reader) read(ctx context.Context, at time.Time) []resource.Answer {
	r.errs, r.filtered = map[string]error{}, map[string][]resource.ID{}
	r.filters(ctx)
	r.names(ctx)
	if slices.ContainsFunc(r.wants, func(w resource.Want) bool { return w.By.All }) {
		r.list(ctx, byAll, query{way: byAll})
	} else {
		r.seek(ctx, byEstate, r.gather(func(b resource.Selector) []string { return []string{b.Estate} }))
		r.seek(ctx, byIDs, r.gather(func(b resource.Selector) []string {
			ids := make([]string, 0, len(b.IDs))
			for _, id := range named(b) {
				if _, ok := r.found[id]; !ok && !r.ended[id] {
					ids = append(ids, string(id))
				}
			}
			return ids
		}))
		r.seek(ctx, byTokens, r.gather(func(b resource.Selector) []string {
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
			if r.ended[id] {
				out[i].Ended = append(out[i].Ended, id)
			}
		}
		if w.By.IDs != nil && len(out[i].Objects)+len(out[i].Ended) == len(slices.Compact(slices.Sorted(slices.Values(w.By.IDs)))) {
			out[i].Err = nil // another list covered all that this want asks for
		}
		if w.By.Named != "" {
			out[i].Err = cmp.Or(out[i].Err, r.errs[filterKey(r.nameFilter(w.By))])
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
		r.filtered[key] = r.list(ctx, key, query{way: byFilter, filter: w.By.Filter})
	}
}

// names makes a list for each name that a want means, where the kind's objects
// have one beside their id.
func (r *reader) names(ctx context.Context) {
	for _, w := range r.wants {
		key := filterKey(r.nameFilter(w.By))
		if _, done := r.filtered[key]; done || w.By.Named == "" || r.kind.byName == "" {
			continue
		}
		r.filtered[key] = r.list(ctx, key, query{way: byFilter, filter: r.nameFilter(w.By)})
	}
}

func (r *reader) nameFilter(b resource.Selector) map[string]string {
	return map[string]string{r.kind.byName: b.Named}
}

// named gives the ids that a selector asks for.
func named(b resource.Selector) []resource.ID {
	if b.Named != "" {
		return []resource.ID{resource.ID(b.Named)}
	}
	return b.IDs
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

// seek makes the list of a way that has values to ask for.
func (r *reader) seek(ctx context.Context, way string, values []string) {
	if len(values) > 0 {
		r.list(ctx, way, query{way: way, values: values})
	}
}

// list asks one query and keeps what came.
func (r *reader) list(ctx context.Context, list string, q query) []resource.ID {
	seek := r.kind.seek
	if seek == nil {
		seek = r.kind.describe
	}
	objs, err := seek(ctx, r.s, q)
	r.errs[list] = cmp.Or(r.errs[list], err)
	ids := make([]resource.ID, 0, len(objs))
	for _, o := range objs {
		if o.Fields == nil {
			r.ended[o.ID] = true
			continue
		}
		r.found[o.ID], ids = o, append(ids, o.ID)
	}
	return ids
}

// describe answers a query by EC2's filters, as many values a call as they
// take. Beside an error it gives what did come.
func (k *kind) describe(ctx context.Context, s *session, q query) ([]resource.Object, error) {
	switch q.way {
	case byAll:
		return k.list(ctx, s, nil)
	case byFilter:
		fs := make([]types.Filter, 0, len(q.filter))
		for _, n := range slices.Sorted(maps.Keys(q.filter)) {
			fs = append(fs, filter(n, q.filter[n]))
		}
		return k.list(ctx, s, fs)
	}
	by := map[string]string{byEstate: "tag:" + resource.MarkEstate, byTokens: "tag:" + resource.MarkToken, byIDs: k.idFilter}[q.way]
	var out []resource.Object
	var failed error
	for part := range slices.Chunk(q.values, maxFilterValues) {
		objs, err := k.list(ctx, s, []types.Filter{filter(by, part...)})
		out, failed = append(out, objs...), cmp.Or(failed, err)
	}
	return out, failed
}

// source names the list that a selector's answer depends on.
func (r *reader) source(b resource.Selector) string {
	switch {
	case len(b.Filter) > 0:
		return filterKey(b.Filter)
	case slices.ContainsFunc(r.wants, func(w resource.Want) bool { return w.By.All }):
		return byAll
	case b.Estate != "":
		return byEstate
	case b.Token != "":
		return byTokens
	}
	return byIDs
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
	case b.Named != "":
		ids = append(named(b), r.filtered[filterKey(r.nameFilter(b))]...)
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

// pages takes every page of a list. list is the client's own call, in what it is
// asked, cursor the field of in that says where a page begins, and take gives
// where the next one does. What came before an error stays taken.
//
// The SDK's paginators do the same, but hold the client as an interface: see sealed.
func pages[I, O, P any](ctx context.Context, list func(context.Context, *I, ...func(*P)) (*O, error), in *I, cursor **string, take func(*O) *string) error {
	for {
		page, err := reading(ctx, func(ctx context.Context) (*O, error) { return list(ctx, in) })
		if err != nil {
			return err
		}
		next := take(page)
		if aws.ToString(next) == "" {
			return nil
		}
		*cursor = next
	}
}
