package plan

// doubtful holds an item until it is known what became of an earlier call.
func (b *builder) doubtful(it *item) {
	if it.held != nil {
		return
	}
	text, mend := "the outcome of an earlier "+string(it.entry.Open.Op)+" is not settled", ""
	d := b.in.Doubts[it.entry.Key]
	switch {
	case d.Why != "":
		text += ", and could not be looked for: " + d.Why
	case it.entry.Open.Doubt != nil:
		text += ": " + it.entry.Open.Doubt.Message
	}
	if !d.Until.IsZero() {
		until := clock(d.Until)
		text += "; it is looked for until " + until
		mend = "wait until " + until + ", then apply again; isobar serve does so by itself"
	}
	it.hold(HeldDoubt, text, mend)
	it.held.Until = d.Until
}
