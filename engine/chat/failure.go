package chat

import (
	"errors"
	"net"
	"net/http"

	"github.com/slack-go/slack"

	"isobar.dev/engine/resource"
)

// effect says what a call whose answer is lost may have done.
type effect bool

const (
	reading effect = false
	writing effect = true
)

// lost is the class of a call whose outcome is not known.
func (e effect) lost() resource.Class {
	if e == writing {
		return resource.UnknownOutcome
	}
	return resource.Transient
}

// classify turns slack-go's errors into a Failure; nil stays nil.
func classify(op string, e effect, err error) error {
	if err == nil {
		return nil
	}
	f := &resource.Failure{Op: op, Err: err}
	var limited *slack.RateLimitedError
	var status slack.StatusCodeError
	var said slack.SlackErrorResponse
	var network *net.OpError
	switch {
	case errors.As(err, &limited):
		f.Class, f.Code, f.After = resource.Throttled, "ratelimited", limited.RetryAfter
		f.Message = "Slack asks to wait"
	case errors.As(err, &said):
		f.Code = said.Err
		f.Class, f.Message = meaning(said.Err, e)
		if said.Needed != "" {
			f.Message += " (" + said.Needed + ")"
		}
	case errors.As(err, &status):
		f.Class, f.Message = e.lost(), err.Error()
		if status.Code == http.StatusTooManyRequests {
			f.Class = resource.Throttled
		}
	case errors.As(err, &network) && network.Op == "dial":
		f.Class, f.Message = resource.Transient, "Slack can't be reached: "+network.Error()
	default:
		f.Class, f.Message = e.lost(), "no answer from Slack: "+err.Error()
	}
	return f
}

// meaning classifies the error codes of Slack's Web API.
func meaning(code string, e effect) (resource.Class, string) {
	switch code {
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
		return resource.Denied, "Slack refuses the bot token: give it a new one"
	case "no_permission", "org_login_required", "access_denied", "team_access_not_granted", "ekm_access_denied", "two_factor_setup_required", "enterprise_is_restricted":
		return resource.Denied, "Slack does not let the bot in: ask the workspace's administrators"
	case "missing_scope", "not_allowed_token_type":
		return resource.Denied, "the bot token lacks a scope: add it and install the app again"
	case "not_in_channel":
		return resource.Denied, "the bot is not in the channel: invite it"
	case "channel_not_found":
		return resource.Denied, "Slack does not find the channel: name it by its id, and invite the bot where it is private"
	case "is_archived", "restricted_action", "restricted_action_read_only_channel", "restricted_action_thread_only_channel", "restricted_action_non_threadable_channel":
		return resource.Denied, "the channel is archived, or its rules keep the bot from posting: name another, or let it"
	case "message_not_found", "thread_not_found", "cant_update_message", "edit_window_closed":
		return resource.NotFound, "the message was deleted, or may not be edited any more"
	case "ratelimited", "rate_limited", "message_limit_exceeded":
		return resource.Throttled, "Slack asks to wait"
	case "internal_error", "fatal_error", "service_unavailable", "request_timeout", "team_added_to_org":
		return e.lost(), "Slack is ill"
	}
	return resource.Invalid, "Slack refuses the request"
}
