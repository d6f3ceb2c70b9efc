// Package git reads Git repositories: it keeps a bare mirror of a remote on
// disk, fetches into it incrementally, and serves the tree of any commit as a
// read-only io/fs.FS straight from the object store, with no work tree. It also
// reads a directory as it stands, for the one-shot commands, and hints when a
// local repository changed.
//
// It never writes to a user's repository and holds no opinion on what a tree
// means. The only importer of go-git and fsnotify. Floor 4.
package git
