package view

import (
	"slices"
	"strings"
	"time"
)

// Pin is an environment in which a pull request was applied before its merge.
type Pin struct {
	Env      string
	By       string    // who asked for it
	Since    time.Time //
	Head     string    // the commit that was applied
	EndedBy  string    // who gave it up: the environment is on its way back to the base branch; "" while it holds
	Run      *Run      // the last one of it; nil where none has begun
	Approved string    // as in PreviewEnv
	Differs  []string  // as in PreviewEnv
}

// pin gives the pin of an environment that holds, nil for none.
func (p *Preview) pin(env string) *Pin {
	i := slices.IndexFunc(p.Pins, func(in Pin) bool { return in.Env == env && in.EndedBy == "" })
	if i < 0 || p.Merged != "" {
		return nil
	}
	return &p.Pins[i]
}

// pinned says of each environment that it was applied to before the merge how that
// went, and what ends it.
func (p *Preview) pinned() []string {
	var out []string
	for i := range p.Pins {
		in := &p.Pins[i]
		head := ""
		if in.Head != p.Head {
			head = "with " + Code(short(in.Head)) + ", which is not the head any more"
		}
		text := "**Applied before the merge**: " + join(", ", Escape(in.Env)+" by "+Escape(brief(in.By, 80)), stamp(in.Since), head)
		if in.EndedBy != "" {
			out = append(out, text+". "+Escape(brief(in.EndedBy, 80))+" ended that: "+Escape(in.Env)+" goes back to the base branch, once that plan is approved.")
			continue
		}
		outcome := "its run is to come"
		if in.Run != nil {
			outcome = join(" · ", in.Run.Outcome(), in.Run.verdict())
		}
		text += ": " + Escape(brief(outcome, 300)) + ". It stays so until this is merged or closed, or till " + Code("isobar unpin "+in.Env) + "."
		if in.Run != nil && in.Run.State == Waiting && in.Approved == "" {
			text += " Approve: " + Code("isobar approve "+PlanID(in.Run.Plan)) + "."
		}
		e := PreviewEnv{Approved: in.Approved, Differs: in.Differs}
		out = append(out, strings.TrimRight(text+"\n"+e.differs(), "\n"))
	}
	return out
}
