// Package forge speaks to the places where pull requests live: GitHub (with a
// token or as an App, Enterprise Server too), GitLab and Gitea or Forgejo, behind
// one small interface, and verifies and reads their webhooks. It owns the wire:
// authentication, paging, conditional requests, rate limits, the classes of
// errors. What to say, when, and how often is the caller's. The only importer of
// the forges' SDKs. Floor 4.
package forge

import (
	"context"
	"time"
)

// Kind is a sort of forge.
type Kind string

// The kinds. Forgejo is Gitea here: what is used of its API is the same.
const (
	GitHub Kind = "github"
	GitLab Kind = "gitlab"
	Gitea  Kind = "gitea"
)

// Forge is one repository at a forge. Safe for concurrent use, but two calls of
// Annotate on one pull at the same time may say a thing twice. Every error is a
// *resource.Failure: Denied (the token), NotFound (also what the token may not
// see), Throttled (definitely not done, with After where the forge says it),
// Transient, UnknownOutcome (a write whose answer was lost), Invalid, Conflict. No
// call waits or tries again by itself, but for one renewal of an App's token.
type Forge interface {
	// Name is the kind of the forge.
	Name() Kind
	// Self gives the login whose comments are our own. It asks once, and again
	// after an error.
	Self(ctx context.Context) (login string, err error)
	// Pulls gives all open pulls, oldest first. Where the forge has entity tags
	// (GitHub, GitLab), a list that has not changed costs one answer without body
	// a page of 100, which GitHub does not count against the rate limit:
	// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api
	// Listed pulls lack what only Pull gives: see the fields.
	Pulls(ctx context.Context) ([]Pull, error)
	// Pull gives one pull, open or not.
	Pull(ctx context.Context, number int) (Pull, error)
	// Comments gives the comments of a pull that were made or edited at since or
	// later, oldest first; the zero time gives all. Comments on lines of the diff
	// are not among them.
	Comments(ctx context.Context, number int, since time.Time) ([]Comment, error)
	// Comment adds a comment.
	Comment(ctx context.Context, number int, body string) (Comment, error)
	// Edit replaces the body of a comment; NotFound means that it was deleted.
	Edit(ctx context.Context, number int, id, body string) error
	// React puts our reaction on a comment. One that is there already is no error.
	React(ctx context.Context, number int, id string, r Reaction) error
	// Annotate puts notes on lines of the pull's diff, each once for as long as
	// the forge shows it, however often it is called: a hidden mark in the body
	// tells them. It gives back the notes that have no place there (a line outside
	// the diff, a head that moved, more than 50), which belong into a comment.
	Annotate(ctx context.Context, p Pull, notes []Note) (left []Note, err error)
	// SetStatus sets the status of a commit under its context. Forges keep every
	// call (GitHub at most 1,000 a commit and context), so call it on changes alone.
	SetStatus(ctx context.Context, commit string, s Status) error
	// Members gives the logins of a team, sorted: "org/team-slug" at GitHub,
	// a group's full path at GitLab (with inherited members), "org/team" at Gitea.
	Members(ctx context.Context, team string) ([]string, error)
	// Writes reports whether a person may write to the repository: push to a branch
	// that nothing protects. False for strangers and for logins that nobody has, to
	// which GitHub's bots count. Who administers a GitLab and is no member of the
	// project is a stranger there. Gitea answers only those who administer the
	// repository: any other's token is Denied. NotFound is the repository. No answer
	// is kept: a right that was taken away is gone at the next call.
	Writes(ctx context.Context, login string) (bool, error)
	// Authors gives the logins of those who made or committed the commits of a pull,
	// open or not, as far as the forge knows them, sorted, each once. At most 250
	// commits are looked at, GitHub's own limit, in the forge's order. GitHub's own
	// login for commits made on its pages is left out, and so is who only committed a
	// merge at GitLab. Whoever opened the pull is among them only with a commit.
	// Forges go by the addresses in the commits, which are whatever was written:
	// people may stay unnamed, or name others.
	Authors(ctx context.Context, number int) ([]string, error)
	// MaxComment is how many characters (Unicode code points) a comment may have.
	MaxComment() int
}

// State says where a pull is in its life.
type State string

// The states.
const (
	Open   State = "open"
	Closed State = "closed" // and not merged
	Merged State = "merged"
)

// Mergeable says whether Git can merge a pull.
type Mergeable string

// The answers. Gitea never says No: its "not mergeable" may as well be a draft or
// a check that has not ended yet.
const (
	Unknown Mergeable = "unknown" // the forge has not found out yet, or does not say
	Yes     Mergeable = "yes"
	No      Mergeable = "no" // there are conflicts
)

// Pull is a pull request, or a merge request at GitLab.
type Pull struct {
	Number  int
	Title   string
	Body    string
	URL     string // for people
	Author  string // login
	State   State
	Draft   bool
	Fork    bool   // the head is not a branch of this repository: a fork's, a deleted fork's, or pushed without a branch (Gitea's refs/for)
	HeadRef string // the head's branch, in its own repository
	BaseRef string // the branch to merge into
	Head    string // commit hash
	// Base is a commit of the base branch: its head when the pull was last updated
	// (GitHub), when the newest diff was made (GitLab; "" from Pulls), or now
	// (Gitea). Ask Git for the branch's head.
	Base string
	// HeadFetch is the Git ref that holds Head in this repository, forks' too.
	HeadFetch string
	// MergeFetch is the Git ref of the forge's own trial merge, "" where it makes
	// none (Gitea, GitLab) or the pull is not open. The forge renews it in its own
	// time: it is the merge of this Head only if its parents are the base branch's
	// head and Head.
	MergeFetch  string
	MergeCommit string // what the merge left on the base branch, once merged: merge commit, squashed commit, or last commit of a rebase
	Mergeable   Mergeable
	Updated     time.Time
}

// Comment is a comment on a pull as a whole.
type Comment struct {
	ID      string
	Author  string // login
	Body    string // as written, Markdown
	URL     string // for people; "" at GitLab
	Created time.Time
	Updated time.Time
}

// Reaction is an emoji on a comment.
type Reaction string

// The reactions, by GitHub's names:
// https://docs.github.com/en/rest/reactions/reactions#about-reactions
const (
	Seen     Reaction = "eyes"
	Agreed   Reaction = "+1"
	Refused  Reaction = "-1"
	Confused Reaction = "confused"
	Launched Reaction = "rocket"
)

// Note is a remark on a line of a file as the head has it.
type Note struct {
	Path string // from the repository's root
	Line int    // from 1
	Body string // Markdown
}

// Result is what a status says.
type Result string

// The results. GitLab has one word for the last two.
const (
	Pending Result = "pending"
	Success Result = "success"
	Failure Result = "failure" // what was checked is not right
	Error   Result = "error"   // it could not be checked
)

// Status is a check on a commit, as the forge shows it beside the pull.
type Status struct {
	Context string // what tells it from others: "isobar/plan: prod"
	Result  Result
	Text    string // one line; cut to 140 characters, GitHub's limit, at the forges alike
	URL     string // where to read more, or ""
}

// maxText is how many characters the text of a status may have at GitHub, which
// refuses longer ones; GitLab takes 255.
const maxText = 140
