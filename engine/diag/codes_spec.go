package diag

// specPages holds the SPEC codes.
func specPages() map[Code]Page {
	return map[Code]Page{}
}
