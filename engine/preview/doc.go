// Package preview follows the pull requests of a repository: it plans what their
// merge would do, says so in one comment, takes commands from comments, and tells
// what became of it after the merge. It owns what is kept of a pull request, when
// it is planned anew and how often the forge is written to. Who may do what is
// review's to say, how it reads view's, and what is applied the daemon's: a pull
// request itself changes nothing. Floor 7.
package preview
