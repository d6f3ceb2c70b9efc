package diag

// planPages holds the PLAN codes.
func planPages() map[Code]Page {
	return map[Code]Page{}
}
