package main

import (
	"fmt"
	"strings"

	"isobar.dev/engine/diag"
)

// errorsPage lists every finding's code with its explanation, by area.
func errorsPage() string {
	titles := map[string]string{
		"SPEC": "The specification", "PLAN": "The plan", "POL": "Policies", "APPLY": "Applying",
		"GIT": "Git", "CHAT": "Chat", "STORE": "The store", "CMD": "The command line",
	}
	var b strings.Builder
	b.WriteString("# Codes of findings\n\n" + stamp + "\nEvery message that asks something of you ends with a code. `isobar explain CODE` prints the same\ntext; codes keep their meaning from one version to the next.\n")
	area := ""
	for _, code := range diag.Codes() {
		page, ok := diag.Explain(code)
		if !ok {
			continue
		}
		if a, _, _ := strings.Cut(string(code), "-"); a != area {
			area = a
			title := titles[a]
			if title == "" {
				title = a
			}
			fmt.Fprintf(&b, "\n## %s\n", title)
		}
		fmt.Fprintf(&b, "\n### %s\n**%s.** %s\n", code, upperFirst(page.Title), page.Text)
	}
	return b.String()
}

// upperFirst begins a sentence.
func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
