package aws

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strconv"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"isobar.dev/engine/resource"
)

func readPolicy(ctx context.Context, s *session, id *string) (resource.Value, error) {
	got, err := reading(ctx, func(ctx context.Context) (*s3.GetBucketPolicyOutput, error) {
		return s.s3.GetBucketPolicy(ctx, &s3.GetBucketPolicyInput{Bucket: id, ExpectedBucketOwner: &s.account})
	})
	if err != nil {
		return nil, err
	}
	p, err := parsePolicy(aws.ToString(got.Policy))
	if err != nil {
		return resource.Unread{Why: "its policy cannot be understood: " + err.Error()}, nil //nolint:nilerr // the rest of the bucket is usable
	}
	return p, nil
}

// writePolicy sets the policy, or deletes it. S3 refuses a public one while
// the bucket blocks such, so what shall not block stops blocking first.
// https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketPolicy.html
func writePolicy(ctx context.Context, s *session, id *string, ch change) error {
	want, _ := ch.want.Fields[fieldPolicy].(resource.Map)
	if len(want) == 0 {
		return send(ctx, s.s3.DeleteBucketPolicy, &s3.DeleteBucketPolicyInput{Bucket: id, ExpectedBucketOwner: &s.account})
	}
	block, _ := ch.want.Fields[fieldBlock].(resource.Map)
	now, _ := ch.live.Fields[fieldBlock].(resource.Map)
	if block != nil && !boolOr(block, "blockPublicPolicy", true) && boolOr(now, "blockPublicPolicy", true) {
		if err := writeAccessBlock(ctx, s, id, ch); err != nil {
			return err
		}
	}
	doc, err := json.Marshal(plain(want))
	if err != nil {
		return invalid("s3:PutBucketPolicy", "the policy is no JSON: "+err.Error())
	}
	return send(ctx, s.s3.PutBucketPolicy, &s3.PutBucketPolicyInput{Bucket: id, ExpectedBucketOwner: &s.account, Policy: aws.String(string(doc))})
}

// plain gives a value as encoding/json writes it.
func plain(v resource.Value) any {
	switch x := v.(type) {
	case resource.Bool:
		return bool(x)
	case resource.Int:
		return int64(x)
	case resource.Float:
		return float64(x)
	case resource.String:
		return string(x)
	case resource.List:
		out := make([]any, len(x))
		for i, e := range x {
			out[i] = plain(e)
		}
		return out
	case resource.Map:
		out := make(map[string]any, len(x))
		for k, e := range x {
			out[k] = plain(e)
		}
		return out
	}
	return nil
}

// parsePolicy reads a policy document in the one spelling that specs have: IAM
// takes a list of one as the one, "*" for every AWS principal, one statement
// for a list, and numbers and truth values for text, and S3 may give any of
// them back, in another order. An account is a number or the name of its root,
// which @alike in the schema says are the same. A document without a version has
// the older one, and an empty name of a statement is none.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html
func parsePolicy(text string) (resource.Map, error) {
	var doc map[string]any
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		return nil, err
	}
	out := resource.Map{}
	for k, v := range doc {
		if k != "Statement" {
			out[k] = loose(v)
			continue
		}
		list := resource.List{}
		for _, st := range many(v) {
			m, ok := st.(map[string]any)
			if !ok {
				return nil, errors.New("a statement is no object")
			}
			list = append(list, statement(m))
		}
		out[k] = list
	}
	if out["Version"] == nil && len(out) > 0 {
		out["Version"] = resource.String("2008-10-17")
	}
	return out, nil
}

func statement(m map[string]any) resource.Map {
	out := resource.Map{}
	for k, v := range m {
		switch k {
		case "Sid":
			if v != "" {
				out[k] = loose(v)
			}
		case "Action", "NotAction", "Resource", "NotResource":
			out[k] = textSet(v)
		case "Principal", "NotPrincipal":
			if v == "*" {
				v = map[string]any{"AWS": v}
			}
			out[k] = each(v, textSet)
		case "Condition":
			out[k] = each(v, func(keys any) resource.Value { return each(keys, textSet) })
		default:
			out[k] = loose(v)
		}
	}
	return out
}

// each applies to the values of an object; what is none stays as it is.
func each(v any, to func(any) resource.Value) resource.Value {
	m, ok := v.(map[string]any)
	if !ok {
		return loose(v)
	}
	out := make(resource.Map, len(m))
	for k, e := range m {
		out[k] = to(e)
	}
	return out
}

// many gives a list, and anything else as a list of one.
func many(v any) []any {
	if l, ok := v.([]any); ok {
		return l
	}
	return []any{v}
}

// textSet gives one text or many as a sorted list without doubles.
func textSet(v any) resource.Value {
	var texts []string
	for _, e := range many(v) {
		switch x := e.(type) {
		case string:
			texts = append(texts, x)
		case bool:
			texts = append(texts, strconv.FormatBool(x))
		case float64:
			texts = append(texts, strconv.FormatFloat(x, 'f', -1, 64))
		default:
			return loose(v) // not of the grammar: shown as it is
		}
	}
	slices.Sort(texts)
	out := resource.List{}
	for _, t := range slices.Compact(texts) {
		out = append(out, resource.String(t))
	}
	return out
}

// loose gives any JSON as a value.
func loose(v any) resource.Value {
	switch x := v.(type) {
	case bool:
		return resource.Bool(x)
	case float64:
		return resource.Float(x)
	case string:
		return resource.String(x)
	case []any:
		out := make(resource.List, len(x))
		for i, e := range x {
			out[i] = loose(e)
		}
		return out
	case map[string]any:
		out := make(resource.Map, len(x))
		for k, e := range x {
			out[k] = loose(e)
		}
		return out
	}
	return resource.Null{}
}
