package diag

// storePages holds the STORE codes.
func storePages() map[Code]Page {
	return map[Code]Page{}
}
