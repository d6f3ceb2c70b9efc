package vsphere

import "strings"

// A vCenter keeps %, / and \ in the names of folders, pools and machines as %25,
// %2f and %5c, whatever the case of the letters. A spec's names are as people see
// them; its paths have what the vCenter keeps, so that / parts them alone. A
// request may escape all three: a % that starts an escape is left as it is.
// https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.Folder.html#createFolder

// kept gives a name as a vCenter keeps it.
func kept(name string) string {
	return strings.NewReplacer("%", "%25", "/", "%2f", `\`, "%5c").Replace(name)
}

// shown gives a name as people see it.
func shown(kept string) string {
	if !strings.Contains(kept, "%") {
		return kept
	}
	return strings.NewReplacer("%25", "%", "%2f", "/", "%2F", "/", "%5c", `\`, "%5C", `\`).Replace(kept)
}

// sent gives a name as the calls that make a folder or a machine take it: they
// escape / and \ themselves, and a % that starts no escape.
// https://developer.broadcom.com/xapis/vsphere-web-services-api/latest/vim.vm.ConfigSpec.html
func sent(name string) string {
	for _, escape := range []string{"%25", "%2f", "%2F", "%5c", "%5C"} {
		if strings.Contains(name, escape) {
			return kept(name)
		}
	}
	return name
}

// join makes a path of names as a vCenter keeps them.
func join(names []string) string { return lower(strings.Join(names, "/")) }

// lower writes the escapes of a path in lower case.
func lower(path string) string {
	if !strings.Contains(path, "%") {
		return path
	}
	return strings.NewReplacer("%2F", "%2f", "%5C", "%5c").Replace(path)
}
