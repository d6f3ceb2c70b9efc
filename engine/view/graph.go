package view

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"isobar.dev/engine/resource"
)

// Graph is what an environment's resources refer to, as the spec says it.
type Graph struct {
	Env   string      `json:"env"`
	Nodes []GraphNode `json:"resources"` // by address
}

// GraphNode is one resource.
type GraphNode struct {
	Address string      `json:"address"` // local: "aws.subnet/a"
	File    string      `json:"file,omitempty"`
	Line    int         `json:"line,omitempty"`
	Needs   []GraphEdge `json:"needs"` // by field, then by what it refers to
}

// GraphEdge is one reference.
type GraphEdge struct {
	Field string `json:"field"` // the top-level field that holds it
	To    string `json:"to"`    // local, or with its environment where that is another
	Out   string `json:"output"`
}

// NewGraph takes the references out of a spec's resources.
func NewGraph(env string, desired []resource.Desired) *Graph {
	g := &Graph{Env: env, Nodes: make([]GraphNode, 0, len(desired))}
	for i := range desired {
		d := &desired[i]
		n := GraphNode{Address: d.Address.Local(), File: d.At.File, Line: d.At.Line, Needs: []GraphEdge{}}
		for _, field := range d.Fields.Keys() {
			for _, r := range resource.Refs(d.Fields[field]) {
				to := r.Address.Local()
				if r.Address.Env != env {
					to = r.Address.String()
				}
				n.Needs = append(n.Needs, GraphEdge{Field: field, To: to, Out: r.Out})
			}
		}
		g.Nodes = append(g.Nodes, n)
	}
	slices.SortFunc(g.Nodes, func(a, b GraphNode) int { return strings.Compare(a.Address, b.Address) })
	return g
}

// Edges counts the references.
func (g *Graph) Edges() int {
	n := 0
	for i := range g.Nodes {
		n += len(g.Nodes[i].Needs)
	}
	return n
}

// Text renders the graph for a terminal: each resource, and below it what it
// refers to.
func (g *Graph) Text(pg Page) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s  %s, %s\n", ink(pg.Color).paint(bold, clean(g.Env)), count(len(g.Nodes), "resource"), count(g.Edges(), "reference"))
	for i := range g.Nodes {
		n := &g.Nodes[i]
		b.WriteString("\n" + clean(n.Address) + "\n")
		rows := make([][]string, len(n.Needs))
		for j, e := range n.Needs {
			rows[j] = []string{"  " + clean(e.Field), "→ " + clean(e.To) + "#" + clean(e.Out)}
		}
		b.WriteString(table(rows))
	}
	return b.String()
}

// DOT renders graphs in Graphviz's language, an environment a cluster.
// https://graphviz.org/doc/info/lang.html
func DOT(gs []*Graph) string {
	var b strings.Builder
	b.WriteString("digraph isobar {\n\trankdir=LR\n\tnode [shape=box]\n")
	for _, g := range gs {
		fmt.Fprintf(&b, "\tsubgraph %s {\n\t\tlabel=%s\n", strconv.Quote("cluster_"+g.Env), dotText(g.Env))
		for i := range g.Nodes {
			fmt.Fprintf(&b, "\t\t%s [label=%s]\n", dotText(g.global(g.Nodes[i].Address)), dotText(g.Nodes[i].Address))
		}
		b.WriteString("\t}\n")
	}
	for _, g := range gs {
		for _, e := range g.arrows() {
			fmt.Fprintf(&b, "\t%s -> %s [label=%s]\n", dotText(e.from), dotText(e.to), dotText(e.label))
		}
	}
	b.WriteString("}\n")
	return b.String()
}

// dotText is a quoted string of DOT, in which only the quote is special.
func dotText(s string) string { return `"` + strings.ReplaceAll(clean(s), `"`, `\"`) + `"` }

// Mermaid renders graphs as a block of Markdown that forges draw.
// https://mermaid.js.org/syntax/flowchart.html
func Mermaid(gs []*Graph) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	id := func(name string) string {
		if ids[name] == "" {
			ids[name] = "n" + strconv.Itoa(len(ids))
		}
		return ids[name]
	}
	for _, g := range gs {
		fmt.Fprintf(&b, "  subgraph %s\n", mermaidText(g.Env))
		for i := range g.Nodes {
			fmt.Fprintf(&b, "    %s[%s]\n", id(g.global(g.Nodes[i].Address)), mermaidText(g.Nodes[i].Address))
		}
		b.WriteString("  end\n")
	}
	for _, g := range gs {
		for _, e := range g.arrows() {
			if ids[e.to] == "" {
				fmt.Fprintf(&b, "  %s[%s]\n", id(e.to), mermaidText(e.to))
			}
			fmt.Fprintf(&b, "  %s -->|%s| %s\n", id(e.from), mermaidText(e.label), id(e.to))
		}
	}
	return fence("mermaid", b.String())
}

// mermaidText is a quoted label of Mermaid, which writes its special characters
// as entities.
func mermaidText(s string) string {
	return `"` + strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;").Replace(clean(s)) + `"`
}

// global is a local address with its environment.
func (g *Graph) global(local string) string { return g.Env + "/" + local }

// arrow is a line of a drawing: all fields by which one resource refers to
// another.
type arrow struct{ from, to, label string }

func (g *Graph) arrows() []arrow {
	fields := map[[2]string][]string{}
	for i := range g.Nodes {
		for _, e := range g.Nodes[i].Needs {
			to := e.To
			if strings.Count(to, "/") == 1 {
				to = g.global(to)
			}
			k := [2]string{g.global(g.Nodes[i].Address), to}
			if !slices.Contains(fields[k], e.Field) {
				fields[k] = append(fields[k], e.Field)
			}
		}
	}
	out := make([]arrow, 0, len(fields))
	for k, f := range fields {
		out = append(out, arrow{k[0], k[1], strings.Join(f, ", ")})
	}
	slices.SortFunc(out, func(a, b arrow) int { return cmp.Or(strings.Compare(a.from, b.from), strings.Compare(a.to, b.to)) })
	return out
}

// GraphsJSON renders graphs as JSON: schema_version and environments.
func GraphsJSON(gs []*Graph) []byte {
	return encode(struct {
		Schema       int      `json:"schema_version"`
		Environments []*Graph `json:"environments"`
	}{SchemaVersion, gs})
}
