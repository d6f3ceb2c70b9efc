package diag

// policyPages holds the POL codes.
func policyPages() map[Code]Page {
	return map[Code]Page{}
}
