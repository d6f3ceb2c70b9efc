package main

import (
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/reconcile"
	"isobar.dev/engine/resource"
)

// refreshFlag takes the lookups that are to be asked anew. Alone it means all.
func refreshFlag(c *cobra.Command, to *[]string) {
	c.Flags().StringSliceVar(to, "refresh-lookups", nil, "ask lookups anew, though they are pinned: all, or just the one at this `ADDRESS`")
	c.Flags().Lookup("refresh-lookups").NoOptDefVal = reconcile.AllLookups
}

// refreshArgs is the flag as it was given for a plan, or "".
func refreshArgs(r reconcile.Refresh) string {
	if r.All {
		return " --refresh-lookups"
	}
	out := ""
	for _, a := range slices.SortedFunc(maps.Keys(r.Only), resource.Address.Compare) {
		out += " --refresh-lookups=" + a.Local()
	}
	return out
}

// areLookups refuses what is to be asked anew and is no lookup of any of the
// environments.
func areLookups(o *reconcile.Once, tries []*reconcile.Attempt, refresh []string) error {
	var have []string
	for _, t := range tries {
		for i := range t.Spec.Desired {
			a := t.Spec.Desired[i].Address
			if _, d, ok := o.Runner.Catalogue.Kind(a.Type()); ok && d.Lookup {
				have = append(have, a.Local())
			}
		}
	}
	for _, name := range refresh {
		if name == reconcile.AllLookups || slices.Contains(have, name) {
			continue
		}
		mend := "there are no lookups here"
		if len(have) > 0 {
			slices.Sort(have)
			mend = "lookups here: " + strings.Join(slices.Compact(have), ", ")
		}
		return errorf(diag.CommandUsage, mend, "%s is no lookup", name)
	}
	return nil
}
