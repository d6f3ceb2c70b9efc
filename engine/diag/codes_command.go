package diag

// commandPages holds the CMD codes.
func commandPages() map[Code]Page {
	return map[Code]Page{}
}
