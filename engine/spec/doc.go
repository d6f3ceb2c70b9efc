// Package spec turns a commit's tree into what it wants: an estate's settings
// and each environment's desired resources, or the findings that say what is
// wrong with them, in the user's own files.
//
// It owns CUE: the evaluation in a limited child process, the digest of what
// an evaluation reads, the checks that CUE cannot make, the descriptors that
// schemas give and the repository that init writes. It must not read the
// network, the environment's variables or a clock, and must not assume a work
// tree: its input is an fs.FS. Floor 4; the only importer of cuelang.org/go.
package spec
