package resource

// What may be called how, as schemas.#Label and its kin say it. Patterns with
// counted repetitions would take 10 ms to compile at every start.

func isLabel(s string) bool {
	return word(s, 63, lower, func(c byte) bool { return identByte(c) || c == '-' })
}
func isIdent(s string) bool  { return word(s, 63, lower, identByte) }
func isOutput(s string) bool { return word(s, 64, letter, wordByte) }
func isName(s string) bool {
	return word(s, 128, wordByte, func(c byte) bool { return wordByte(c) || c == '.' || c == '-' })
}

// word reports whether s has one to most bytes: a first one, and others of the rest.
func word(s string, most int, first, rest func(c byte) bool) bool {
	if s == "" || len(s) > most || !first(s[0]) {
		return false
	}
	for i := 1; i < len(s); i++ {
		if !rest(s[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) bool     { return 'a' <= c && c <= 'z' }
func letter(c byte) bool    { return lower(c) || 'A' <= c && c <= 'Z' }
func identByte(c byte) bool { return lower(c) || '0' <= c && c <= '9' || c == '_' }
func wordByte(c byte) bool  { return identByte(c) || letter(c) }
