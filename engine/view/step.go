package view

import "strings"

// Line renders a step as a line of its own, with the provider's words under it.
func (s *Step) Line(pg Page) string {
	sign, color := s.sign()
	line := ink(pg.Color).paint(color, sign) + " " + s.Address.Local() + "  " + s.words() + "\n"
	for _, t := range s.details() {
		line += "    " + strings.Join(wrap(t, room(pg, 4)), "\n    ") + "\n"
	}
	return line
}
