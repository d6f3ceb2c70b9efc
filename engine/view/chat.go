package view

import (
	"strings"

	"isobar.dev/engine/diag"
	"isobar.dev/engine/plan"
)

// Chat is one thread of a chat: a head line that is edited in place, and lines
// under it that are posted once each. The texts are Slack's mrkdwn, with what
// comes from outside escaped.
type Chat struct {
	Head   string
	Thread []ChatLine
}

// ChatLine is one line of a thread. Key tells whether it was posted already:
// the same line has the same key for as long as its run lives.
type ChatLine struct {
	Key  string
	Text string
}

// slackText escapes outside text for Slack's mrkdwn: its control characters
// become entities, so that no mention, link or channel call can be formed, and
// its markup loses its effect by a zero-width space beside each sign.
func slackText(s string) string {
	s = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(clean(s))
	return strings.NewReplacer("*", zeroWidth+"*", "_", zeroWidth+"_", "~", zeroWidth+"~", "`", "'",
		"@", "@"+zeroWidth, "://", ":"+zeroWidth+"//").Replace(s)
}

// slackCode is outside text as Slack's code.
func slackCode(s string) string {
	return "`" + strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "`", "'").Replace(clean(s)) + "`"
}

// Chat renders the run as a thread: its head says how far it is, its lines
// what became of each step, what failed and why, and what comes next.
func (r *Run) Chat(pg Page) Chat {
	parts := []string{"*" + slackText(r.Env) + "*", slackText(r.Outcome())}
	if v := r.verdict(); v != "" {
		parts = append(parts, slackText(v))
	}
	if r.Commit != "" {
		c := slackCode(short(r.Commit))
		if r.Subject != "" {
			c += " \"" + slackText(brief(r.Subject, 80)) + "\""
		}
		if r.By != "" {
			c += " by " + slackText(r.By)
		}
		parts = append(parts, c)
	}
	if r.Pull != "" {
		parts = append(parts, "PR "+slackText(r.Pull))
	}
	sign, _ := r.sign()
	out := Chat{Head: sign + " " + strings.Join(parts, " · ")}
	for i := range r.Steps {
		if l, ok := r.Steps[i].chat(pg); ok {
			out.Thread = append(out.Thread, l)
		}
	}
	for _, h := range grouped(r.Lost) {
		out.Thread = append(out.Thread, h.chat())
	}
	for _, f := range decided(r.Spec) {
		out.Thread = append(out.Thread, findingLine(string(f.Severity), f))
	}
	for _, f := range decided(r.Policy) {
		out.Thread = append(out.Thread, decisionLine(f))
	}
	if n := r.next(); n != "" && r.State != Applying {
		out.Thread = append(out.Thread, ChatLine{Key: "next " + string(r.State), Text: slackText(n)})
	}
	return out
}

// chat is the step's line once it ended; ok is false before that.
func (s *Step) chat(pg Page) (ChatLine, bool) {
	if s.Same {
		return ChatLine{}, false
	}
	switch s.State {
	case StepDone, StepFailed, StepDoubt:
	case StepRunning, StepWaiting:
		return ChatLine{}, false
	}
	at := ""
	if !s.At.IsZero() {
		at = s.At.In(pg.zone()).Format("15:04")
	}
	text := join(" ", at, slackCode(s.Address.Local()), slackText(s.words()))
	if s.State != StepDone {
		text = join(": ", text, slackText(brief(strings.Join(s.details(), "; "), 400)))
	}
	return ChatLine{Key: s.ID + " " + string(s.State), Text: text}, true
}

func decisionLine(f diag.Finding) ChatLine {
	w, _ := decisionWord(f.Severity)
	return findingLine(w, f)
}

// findingLine is a finding's line of a thread, after a word that sorts it.
func findingLine(w string, f diag.Finding) ChatLine {
	subject := ""
	if f.Subject != "" {
		subject = slackCode(f.Subject)
	}
	text := w + " " + join(": ", subject, slackText(f.Message))
	if at := f.Where.String(); at != "" {
		text += " " + slackCode(at)
	}
	if f.Mend != "" {
		text += "\nmend: " + slackText(f.Mend)
	}
	return ChatLine{Key: clean(w + " " + f.String()), Text: text}
}

// chatFields is how many drifted fields a chat line names.
const chatFields = 5

// DriftChat renders what drifted as a thread: the head counts, a line an
// object names the field, its values and who changed it. ok is false where
// nothing drifted.
func (p *Plan) DriftChat() (c Chat, ok bool) {
	for _, ch := range p.ordered() {
		var fields []string
		for i := range ch.Fields {
			f := &ch.Fields[i]
			if f.Cause != plan.CauseDrift && !f.Conflict {
				continue
			}
			for _, r := range rows(f, p.Kinds[ch.Address.Type()], false) {
				fields = append(fields, join(" ", slackText(r.path), slackCode(r.fit(80))))
			}
		}
		if len(fields) == 0 && drifter(ch) == "" {
			continue
		}
		if n := len(fields); n > chatFields {
			fields = append(fields[:chatFields], count(n-chatFields, "more change"))
		}
		text := slackCode(ch.Address.Local()) + " " + join(", ", strings.Join(fields, ", "), slackText(drifter(ch)))
		c.Thread = append(c.Thread, ChatLine{Key: "drift " + ch.Address.String(), Text: text})
	}
	if len(c.Thread) == 0 {
		return Chat{}, false
	}
	parts := []string{"◐ *" + slackText(p.Plan.Env) + "*", "drift: " + count(len(c.Thread), "resource") + " changed outside"}
	if p.Mode != "" {
		parts = append(parts, "mode "+slackText(p.Mode))
	}
	c.Head = strings.Join(append(parts, slackText(p.next())), " · ")
	return c, true
}

// Chat renders the plan as a thread: the head says what it would do, the lines
// name its riskiest changes, what is held and the policies' decisions.
func (p *Plan) Chat() Chat {
	const most = 10
	sign := "●"
	if p.Denied() {
		sign = "✗"
	}
	parts := []string{sign + " *" + slackText(p.Plan.Env) + "*", slackText(p.outcome())}
	if p.Commit != "" {
		parts = append(parts, join(" ", slackCode(short(p.Commit)), slackText(brief(p.Subject, 80))))
	}
	if v := p.verdict(); v != "" {
		parts = append(parts, "policy: "+v)
	}
	out := Chat{Head: strings.Join(append(parts, slackText(p.next())), " · ")}
	es := p.entries(false)
	for i, e := range es {
		if i == most {
			out.Thread = append(out.Thread, ChatLine{Key: "more", Text: count(len(es)-most, "more change")})
			break
		}
		out.Thread = append(out.Thread, ChatLine{
			Key:  "change " + e.address,
			Text: slackCode(e.symbol+" "+e.address) + " " + slackText(join(", ", e.head, e.tail)),
		})
	}
	for _, h := range grouped(p.Plan.Held) {
		out.Thread = append(out.Thread, h.chat())
	}
	for _, f := range decided(p.Policy) {
		out.Thread = append(out.Thread, decisionLine(f))
	}
	return out
}
