# Reads the events of go test -json, prints each package's outcome and what
# failed tests said, then the ten tests that took longest, and closes with
# "N passed, N failed". A package that fails
# without a failing test (it does not build, or died) counts as one failure, and
# so does a skipped test: nothing is skipped here. Exits 1 unless all passed.

function value(key,    v) {
	if (!match($0, "\"" key "\":\"([^\"\\\\]|\\\\.)*\"")) return ""
	v = substr($0, RSTART + length(key) + 4, RLENGTH - length(key) - 5)
	return v
}

function seconds(    n) {
	return match($0, /"Elapsed":[0-9.]+/) ? substr($0, RSTART + 10, RLENGTH - 10) + 0 : 0
}

# slow keeps the ten longest tests in order.
function slow(t, name,    i) {
	for (i = 10; i > 0 && (!(i in took) || took[i] < t); i--) {
		took[i + 1] = took[i]; whose[i + 1] = whose[i]
		took[i] = t; whose[i] = name
	}
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

(action == "pass" || action == "fail") && test != "" { slow(seconds(), pkg " " test) }

action == "pass" && test == "" { printf "ok   %s %.0f s\n", pkg, seconds() }
action == "fail" && test == "" {
	if (!bad[pkg]) {
		failed++
		for (k in said) if (index(k, pkg "\t") == 1) printf "%s", said[k]
	}
	print "FAIL " pkg
}

END {
	for (i = 1; i <= 10 && took[i] > 0; i++) printf "%6.0f s %s\n", took[i], whose[i]
	printf "%d passed, %d failed\n", passed, failed
	exit !(passed > 0 && failed == 0)
}
