package fake

import (
	"fmt"

	"isobar.dev/engine/resource"
)

// image is the newest that was published under a name and channel.
type image struct {
	id      resource.ID
	version int
	past    []resource.ID
}

// Publish puts a new image into the world, as whoever makes them does: from now
// on lookups of its name and channel ("" for none) find it, and machines may
// still be made from those before. It returns the image's id.
func (w *World) Publish(name, channel string) resource.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	at := [2]string{name, channel}
	i := w.images[at]
	if i.id != "" {
		i.past = append(i.past, i.id)
	}
	i.version++
	i.id = resource.ID(fmt.Sprintf("image-%s%s-%d", name, channel, i.version))
	w.images[at] = i
	return i.id
}

// published reports whether there is or was such an image. The lock is held.
func (w *World) published(id resource.ID) bool {
	for _, i := range w.images {
		if i.id == id {
			return true
		}
		for _, p := range i.past {
			if p == id {
				return true
			}
		}
	}
	return false
}

// lookUp answers a lookup of an image. The lock is held.
func (w *World) lookUp(k *kind, fields resource.Map) resource.Answer {
	if err := k.shape(fields); err != nil {
		return resource.Answer{Err: err}
	}
	i, ok := w.images[[2]string{fields.Text("name"), fields.Text("channel")}]
	if !ok {
		return resource.Answer{Err: fault(resource.NotFound, "NoSuchImage", "no image is called %s", fields.Text("name"))}
	}
	return resource.Answer{Objects: []resource.Object{{
		Address: resource.Address{Provider: Name, Kind: k.Name}, ID: i.id, Fields: resource.Map{"version": resource.String(fmt.Sprint(i.version))},
	}}}
}
