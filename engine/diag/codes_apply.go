package diag

// applyPages holds the APPLY codes.
func applyPages() map[Code]Page {
	return map[Code]Page{}
}
