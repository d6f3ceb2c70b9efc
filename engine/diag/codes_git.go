package diag

// gitPages holds the GIT codes.
func gitPages() map[Code]Page {
	return map[Code]Page{}
}
