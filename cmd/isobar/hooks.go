package main

import (
	"context"
	"time"

	"isobar.dev/engine/forge"
	"isobar.dev/engine/store"
)

// letterbox takes what forges deliver for the repositories of the settings in force,
// and keeps it in the store. It satisfies web.Hooks.
type letterbox struct {
	keep  *office
	store store.Pulls
}

// Hook implements web.Hooks.
func (l letterbox) Hook(repo string) (kind forge.Kind, name string, secrets []func() (string, error), ok bool) {
	s := l.keep.settings()
	for _, r := range s.Repos {
		if secrets = s.hookSecrets(r); r.Name == repo && len(secrets) > 0 {
			return forge.Kind(r.Forge.Kind), r.Forge.Repo, secrets, true
		}
	}
	return "", "", nil, false
}

// Deliver implements web.Hooks.
func (l letterbox) Deliver(ctx context.Context, repo string, d forge.Delivery) error {
	_, err := l.store.Deliver(ctx, store.Delivery{Repo: repo, ID: d.ID, Event: string(d.Event), Pull: d.Pull, Ref: d.Ref, At: time.Now()})
	if err == nil && l.keep.desks != nil {
		l.keep.desks.ring(repo)
	}
	return err
}
