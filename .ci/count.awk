# Reads the events of go test -json, prints each package's outcome and what
# failed tests said, and closes with "N passed, N failed". A package that fails
# without a failing test (it does not build, or died) counts as one failure, and
# so does a skipped test: nothing is skipped here. Exits 1 unless all passed.

function value(key,    v) {
	if (!match($0, "\"" key "\":\"([^\"\\\\]|\\\\.)*\"")) return ""
	v = substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
	return v
}

function plain(s) {
	gsub(/\\u003c/, "<", s); gsub(/\\u003e/, ">", s); gsub(/\\u0026/, "\\&", s)
	gsub(/\\t/, "\t", s); gsub(/\\n/, "\n", s); gsub(/\\"/, "\"", s); gsub(/\\\\/, "\\", s)
	return s
}

!/^\{"/ { print; next }

{
	action = value("Action"); pkg = value("Package"); test = value("Test")
	if (pkg == "") pkg = value("ImportPath")
	key = pkg "\t" test
}

action == "output" { said[key] = said[key] plain(value("Output")) }
action == "build-output" { printf "%s", plain(value("Output")) }

action == "pass" && test != "" { passed++ }
(action == "fail" || action == "skip") && test != "" {
	failed++; bad[pkg]++
	printf "--- %s: %s %s\n%s", toupper(action), pkg, test, said[key]
}
test != "" && (action == "pass" || action == "fail" || action == "skip") { delete said[key] }

action == "pass" && test == "" { print "ok   " pkg }
action == "fail" && test == "" {
	if (!bad[pkg]) {
		failed++
		for (k in said) if (index(k, pkg "\t") == 1) printf "%s", said[k]
	}
	print "FAIL " pkg
}

END {
	printf "%d passed, %d failed\n", passed, failed
	exit !(passed > 0 && failed == 0)
}
