package spec

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

// estateOf is an environment of n resources with about as many references: a
// VPC, then subnets and security groups in it.
func estateOf(n int) fs.FS {
	var b strings.Builder
	b.WriteString("package prod\n\nimport \"isobar.dev/schemas\"\n\nschemas.#Environment\nname: \"prod\"\nproviders: aws: region: \"eu-west-1\"\naws: {\n")
	b.WriteString("\tvpc: main: {cidrBlock: \"10.0.0.0/16\", tags: Name: \"main\"}\n")
	for i := range n - 1 {
		if i%4 == 3 {
			fmt.Fprintf(&b, "\tsecurity_group: g%d: {vpcId: aws.vpc.main.#out.id, ingress: [{ipProtocol: \"tcp\", fromPort: 443, toPort: 443, cidrIpv4: aws.vpc.main.#out.cidrBlock}], tags: {Name: \"g%d\", Owner: \"ops\"}}\n", i, i)
			continue
		}
		fmt.Fprintf(&b, "\tsubnet: s%d: {vpcId: aws.vpc.main.#out.id, cidrBlock: \"10.0.%d.%d/28\", tags: {Name: \"s%d\", Owner: \"ops\"}}\n", i, i/16, i%16*16, i)
	}
	b.WriteString("}\n")
	return repo(map[string]string{"prod": b.String()})
}

// BenchmarkEvaluate measures the child's processor time and largest resident
// set, and the whole of Environment by the clock. In a race build both are
// several times what they are without.
func BenchmarkEvaluate(b *testing.B) {
	for _, n := range []int{100, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := newLoader(b, Limits{})
			l.jobs = 1
			tree := estateOf(n)
			if _, err := l.Estate(b.Context(), tree); err != nil {
				b.Fatal(err)
			}
			var cpu float64
			var peak uint64
			l.used = func(u Usage) { cpu += u.CPU.Seconds(); peak = max(peak, u.MaxBytes) }
			b.ReportAllocs() // of the parent
			for b.Loop() {
				env, err := l.Environment(b.Context(), tree, "prod")
				if err != nil || len(env.Desired) != n {
					b.Fatal(len(env.Desired), err)
				}
			}
			b.ReportMetric(cpu/float64(b.N), "cpu-s/op")
			b.ReportMetric(float64(peak)/(1<<20), "child-MB")
		})
	}
}

func BenchmarkDigest(b *testing.B) {
	l := newLoader(b, Limits{})
	tree := estateOf(1000)
	for b.Loop() {
		if _, err := l.Digest(b.Context(), tree, "prod"); err != nil {
			b.Fatal(err)
		}
	}
}
