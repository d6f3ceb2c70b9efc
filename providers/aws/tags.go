package aws

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/ec2/types"

	"isobar.dev/engine/resource"
)

// specifications gives tags in the form that EC2's creating calls take. EC2's
// names of the kinds are ours with "-" for "_".
func specifications(kind string, tags map[string]string) []types.TagSpecification {
	if len(tags) == 0 {
		return nil
	}
	return []types.TagSpecification{{ResourceType: types.ResourceType(strings.ReplaceAll(kind, "_", "-")), Tags: tagList(tags)}}
}

// tagList gives tags in the order of their keys.
func tagList(tags map[string]string) []types.Tag {
	out := make([]types.Tag, 0, len(tags))
	for _, k := range slices.Sorted(maps.Keys(tags)) {
		out = append(out, types.Tag{Key: aws.String(k), Value: aws.String(tags[k])})
	}
	return out
}

// withTags splits an EC2 object's live tags into o's mark and the field tags.
func withTags(o resource.Object, kind string, tags []types.Tag) resource.Object {
	all := make(map[string]string, len(tags))
	for _, t := range tags {
		all[aws.ToString(t.Key)] = aws.ToString(t.Value)
	}
	return marked(o, kind, all)
}

// marked splits live tags into o's mark and the field tags. A mark counts only
// on an object of its address's kind; Amazon's own tags (aws:…) are not
// settable and not shown.
func marked(o resource.Object, kind string, tags map[string]string) resource.Object {
	all := make(map[string]string, len(tags))
	for k, v := range tags {
		if !strings.HasPrefix(k, "aws:") {
			all[k] = v
		}
	}
	mark, user := resource.MarkFromTags(all)
	if mark.Address.Type() == name+"."+kind {
		o.Mark = mark
	}
	if len(user) > 0 {
		o.Fields["tags"] = user
	}
	o.Given = cmp.Or(o.Given, manager(tags))
	return o
}

// manager says which of Amazon's own services manages an object, as the tags
// tell that it puts there, or "".
// https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/aws-properties-resource-tags.html
// https://docs.aws.amazon.com/autoscaling/ec2/userguide/ec2-auto-scaling-tagging.html
func manager(tags map[string]string) string {
	if group := tags["aws:autoscaling:groupName"]; group != "" {
		return "the Auto Scaling group " + group + " manages it"
	}
	if stack := tags["aws:cloudformation:stack-name"]; stack != "" {
		return "the CloudFormation stack " + stack + " manages it"
	}
	return ""
}

func markKeys() []string {
	return []string{resource.MarkAddress, resource.MarkEnv, resource.MarkEstate, resource.MarkToken}
}

// aspectOf finds the one aspect that changes belong to.
func aspectOf(k *kind, changes []resource.Change) (string, error) {
	aspect, seen := "", false
	for _, c := range changes {
		if len(c.Path) == 0 {
			continue
		}
		a, ok := k.fields[c.Path[0]]
		if !ok {
			return "", &resource.Failure{
				Class: resource.Bug, Op: "aws:Update",
				Message: "the field " + c.Path.String() + " of " + k.Name + " cannot be changed in place",
			}
		}
		if seen && a != aspect {
			return "", &resource.Failure{
				Class: resource.Bug, Op: "aws:Update",
				Message: "one update was asked for two aspects, " + aspect + " and " + a,
			}
		}
		aspect, seen = a, true
	}
	if !seen {
		return "", &resource.Failure{Class: resource.Bug, Op: "aws:Update", Message: "an update was asked for without a change"}
	}
	return aspect, nil
}

// tagChanges sorts the changes of the field tags into what is set and what
// goes. Other tags are not ours and stay.
func tagChanges(changes []resource.Change) (set map[string]string, gone []string) {
	set = map[string]string{}
	lost := map[string]bool{}
	note := func(key string, after resource.Value) {
		if v, ok := after.(resource.String); ok {
			set[key] = string(v)
		} else {
			lost[key] = true
		}
	}
	for _, c := range changes {
		if len(c.Path) > 1 {
			note(c.Path[1], c.After)
			continue
		}
		before, _ := c.Before.(resource.Map)
		after, _ := c.After.(resource.Map)
		for key := range before {
			note(key, after[key])
		}
		for key, v := range after {
			note(key, v)
		}
	}
	return set, slices.Sorted(maps.Keys(lost))
}

// retag sets some tags of an object and takes others away.
func (s *session) retag(ctx context.Context, k *kind, live resource.Object, set map[string]string, gone []string) error {
	if k.retag != nil {
		return k.retag(ctx, s, live.ID, set, gone)
	}
	if err := s.tag(ctx, k.carriers(live), set); err != nil {
		return err
	}
	return s.untag(ctx, k.carriers(live), gone)
}

// carriers are what carries an object's tags: itself, and what it has made
// that carries them too.
func (k *kind) carriers(live resource.Object) []string {
	out := []string{string(live.ID)}
	if k.parts != nil {
		for _, id := range k.parts(live) {
			out = append(out, string(id))
		}
	}
	return out
}

func (s *session) tag(ctx context.Context, ids []string, tags map[string]string) error {
	if len(tags) == 0 {
		return nil
	}
	return send(ctx, s.ec2.CreateTags, &ec2.CreateTagsInput{Resources: ids, Tags: tagList(tags)})
}

// untag removes tags whatever their values; one that is not there is no error
// in EC2.
func (s *session) untag(ctx context.Context, ids []string, keys []string) error {
	if len(keys) == 0 {
		return nil
	}
	tags := make([]types.Tag, len(keys))
	for i, k := range keys {
		tags[i] = types.Tag{Key: aws.String(k)}
	}
	return send(ctx, s.ec2.DeleteTags, &ec2.DeleteTagsInput{Resources: ids, Tags: tags})
}
