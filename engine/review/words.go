package review

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// word is one word of a command's line.
type word struct {
	text   string
	quoted bool   // all of it, or the value of a flag
	flag   string // "reason" of --reason and --reason=x, "" for no flag
	value  bool   // the flag has its value by =, which is text
}

// closers are what ends each sort of quotation: keyboards turn straight marks
// into curly ones. Backticks are how Markdown sets a name.
func closers(open rune) string {
	switch open {
	case '"':
		return `"`
	case '“', '„':
		return "”“"
	case '\'':
		return "'"
	case '‘':
		return "’"
	case '`':
		return "`"
	}
	return ""
}

// words splits a line at white space; quotation marks at a word's start, or at
// that of a flag's value, keep what they hold together. Within straight double
// ones \" and \\ stand for " and \. ok is false where a quotation is not
// closed.
func words(s string) (out []word, ok bool) {
	for {
		s = strings.TrimLeftFunc(s, unicode.IsSpace)
		if s == "" {
			return out, true
		}
		var w word
		if w, s, ok = nextWord(s); !ok {
			return out, false
		}
		out = append(out, w)
	}
}

func nextWord(s string) (w word, rest string, ok bool) {
	if name, after, is := flagStart(s); is {
		w.flag, s = name, after
		if !strings.HasPrefix(s, "=") {
			return w, s, true
		}
		w.value, s = true, s[1:]
	}
	for s != "" {
		r, n := utf8.DecodeRuneInString(s)
		if unicode.IsSpace(r) {
			break
		}
		if end := closers(r); end != "" && w.text == "" && !w.quoted {
			text, after, closed := quotation(s[n:], r, end)
			if !closed {
				return w, "", false
			}
			w.text, w.quoted, s = text, true, after
			continue
		}
		w.text += s[:n]
		s = s[n:]
	}
	return w, s, true
}

// flagStart reads a flag's name off a text: --name, or with the dash that
// keyboards put in place of two.
func flagStart(s string) (name, rest string, ok bool) {
	for _, dash := range []string{"--", "—", "–"} {
		after, found := strings.CutPrefix(s, dash)
		if !found {
			continue
		}
		n := len(after) - len(strings.TrimLeftFunc(after, func(r rune) bool { return r == '-' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' }))
		if n == 0 || after[0] == '-' {
			return "", s, false
		}
		if r, _ := utf8.DecodeRuneInString(after[n:]); after[n:] == "" || r == '=' || unicode.IsSpace(r) {
			return strings.ToLower(after[:n]), after[n:], true
		}
	}
	return "", s, false
}

// quotation reads a quotation after its opening mark.
func quotation(s string, open rune, end string) (text, rest string, closed bool) {
	var b strings.Builder
	for i, n := 0, 0; i < len(s); i += n {
		var r rune
		r, n = utf8.DecodeRuneInString(s[i:])
		switch {
		case strings.ContainsRune(end, r) && r != utf8.RuneError:
			return b.String(), s[i+n:], true
		case open == '"' && r == '\\' && i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\'):
			b.WriteByte(s[i+1])
			n = 2
		default:
			b.WriteString(s[i : i+n])
		}
	}
	return "", "", false
}
