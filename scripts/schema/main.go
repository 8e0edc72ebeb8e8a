// Command schema writes, as JSON, the Go types that a Kubernetes object with a pod template is made of, for several
// versions of Kubernetes: for every struct its JSON fields in the order of declaration with their Go names, and for
// every other named type what it is named for.
//
// It is asked on stdin, with a list of versions: for each the folders of its Go modules by the modules' paths. The
// sources are parsed and not compiled, since no Go builds all of them.
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"log"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// leaves are the types that read and write themselves as one JSON value.
var leaves = map[string]bool{
	"api/resource.Quantity": true, "util/intstr.IntOrString": true, "meta/v1.Time": true,
	"meta/v1.MicroTime": true, "meta/v1.FieldsV1": true, "meta/v1.Fields": true, "pkg/runtime.RawExtension": true,
}

// roots are the objects that kube-inject reads into Go types, by their packages; not every version has all of them.
var roots = map[string][]string{
	"k8s.io/api/core/v1":                   {"Pod", "PodTemplate", "ReplicationController", "List"},
	"k8s.io/api/apps/v1":                   {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
	"k8s.io/api/apps/v1beta2":              {"Deployment", "StatefulSet", "DaemonSet", "ReplicaSet"},
	"k8s.io/api/apps/v1beta1":              {"Deployment", "StatefulSet"},
	"k8s.io/api/extensions/v1beta1":        {"Deployment", "DaemonSet", "ReplicaSet"},
	"k8s.io/api/batch/v1":                  {"Job", "CronJob"},
	"k8s.io/api/batch/v1beta1":             {"CronJob"},
	"github.com/openshift/api/apps/v1":     {"DeploymentConfig"},
	"k8s.io/apimachinery/pkg/apis/meta/v1": {"LabelSelector"},
}

type field struct {
	Path     string `json:"path"` // names of embedded structs and the JSON name, joined by dots
	GoName   string `json:"goName"`
	Type     string `json:"type"`
	Options  string `json:"options"` // omitempty, omitzero
	Strategy string `json:"strategy"`
	MergeKey string `json:"mergeKey"`
}

type schema struct {
	Structs map[string][]field `json:"structs"`
	Named   map[string]string  `json:"named"`
	modules map[string]string
	known   map[string]map[string]declaration
}

// declaration is a named type: what stands behind its name, and what its file's imports are called.
type declaration struct {
	path    string
	name    string
	alias   bool
	expr    ast.Expr
	imports map[string]string
}

// name is the last two elements of the package's path and the type's own name: core/v1.Container. OpenShift's
// packages are called like Kubernetes', so theirs begin with openshift/.
func (d declaration) String() string {
	elements := strings.Split(d.path, "/")
	prefix := ""
	if strings.HasPrefix(d.path, "github.com/openshift/") {
		prefix = "openshift/"
	}
	return prefix + strings.Join(elements[max(0, len(elements)-2):], "/") + "." + d.name
}

// folder is where a package's files are; "" where the version has no such package.
func (s schema) folder(path string) string {
	for module, dir := range s.modules {
		if rest, found := strings.CutPrefix(path+"/", module+"/"); found {
			return filepath.Join(dir, rest)
		}
	}
	return ""
}

func (s schema) declarations(path string) map[string]declaration {
	if known, done := s.known[path]; done {
		return known
	}
	found := map[string]declaration{}
	s.known[path] = found
	files, err := filepath.Glob(filepath.Join(s.folder(path), "*.go"))
	if err != nil {
		log.Fatal(err)
	}
	for _, name := range files {
		base := filepath.Base(name)
		if !strings.HasSuffix(base, "_test.go") && !strings.Contains(base, "generated") {
			declare(name, path, found)
		}
	}
	return found
}

func declare(fileName, path string, found map[string]declaration) {
	file, err := parser.ParseFile(token.NewFileSet(), fileName, nil, parser.SkipObjectResolution)
	if err != nil {
		log.Fatal(err)
	}
	imports := map[string]string{}
	for _, each := range file.Imports {
		imported, _ := strconv.Unquote(each.Path.Value)
		name := filepath.Base(imported)
		if each.Name != nil {
			name = each.Name.Name
		}
		imports[name] = imported
	}
	for _, decl := range file.Decls {
		if general, ok := decl.(*ast.GenDecl); ok {
			for _, spec := range general.Specs {
				if t, ok := spec.(*ast.TypeSpec); ok {
					found[t.Name.Name] = declaration{path, t.Name.Name, t.Assign.IsValid(), t.Type, imports}
				}
			}
		}
	}
}

// lookup is the declaration that an identifier in a file stands for; the zero one for a type of Go itself.
func (s schema) lookup(expr ast.Expr, from declaration) declaration {
	path, name := from.path, ""
	switch e := expr.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		path, name = from.imports[e.X.(*ast.Ident).Name], e.Sel.Name
	}
	found := s.declarations(path)[name]
	if found.alias {
		return s.lookup(found.expr, found)
	}
	return found
}

// expression is the type as Go writes it, with names as above; what it is made of is described on the way.
func (s schema) expression(expr ast.Expr, from declaration) string {
	switch e := expr.(type) {
	case *ast.StarExpr:
		return "*" + s.expression(e.X, from)
	case *ast.ArrayType:
		return "[]" + s.expression(e.Elt, from)
	case *ast.MapType:
		return "map[" + s.expression(e.Key, from) + "]" + s.expression(e.Value, from)
	}
	known := s.lookup(expr, from)
	if known.name == "" {
		return goName(expr, from)
	}
	return s.named(known)
}

func goName(expr ast.Expr, from declaration) string {
	ident, ok := expr.(*ast.Ident)
	if !ok {
		log.Fatalf("%s: cannot find what %v stands for", from, expr)
	}
	if ident.Name == "byte" {
		return "uint8"
	}
	return ident.Name
}

func (s schema) named(known declaration) string {
	name := known.String()
	if leaves[name] {
		return name
	}
	if structure, of := s.structure(known); structure != nil {
		if _, done := s.Structs[name]; !done {
			s.Structs[name] = nil // a type may hold itself
			s.Structs[name] = s.fields(structure, of, "")
		}
	} else if _, done := s.Named[name]; !done {
		s.Named[name] = s.expression(known.expr, known)
	}
	return name
}

// structure is the struct that a type is made of, with the declaration that it is in; nil where it is no struct.
func (s schema) structure(of declaration) (*ast.StructType, declaration) {
	switch e := of.expr.(type) {
	case *ast.StructType:
		return e, of
	case *ast.Ident, *ast.SelectorExpr:
		return s.structure(s.lookup(e, of))
	}
	return nil, of
}

func (s schema) fields(structure *ast.StructType, of declaration, prefix string) []field {
	found := []field{}
	for _, f := range structure.Fields.List {
		tag := reflect.StructTag("")
		if f.Tag != nil {
			text, _ := strconv.Unquote(f.Tag.Value)
			tag = reflect.StructTag(text)
		}
		jsonName, options, _ := strings.Cut(tag.Get("json"), ",")
		if len(f.Names) == 0 && jsonName == "" {
			inner := s.lookup(f.Type, of)
			found = append(found, s.fields(inner.expr.(*ast.StructType), inner, prefix+inner.name+".")...)
			continue
		}
		for _, name := range s.names(f, of) {
			if jsonName != "-" && ast.IsExported(name) {
				found = append(found, field{prefix + jsonName, name, s.expression(f.Type, of),
					strings.TrimPrefix(strings.TrimPrefix(options, "inline"), ","), tag.Get("patchStrategy"), tag.Get("patchMergeKey")})
			}
		}
	}
	return found
}

// names are what a declaration of fields calls them: an embedded struct is called like its type.
func (s schema) names(f *ast.Field, of declaration) []string {
	if len(f.Names) == 0 {
		return []string{s.lookup(f.Type, of).name}
	}
	names := []string{}
	for _, name := range f.Names {
		names = append(names, name.Name)
	}
	return names
}

func main() {
	log.SetFlags(0)
	var versions []map[string]string
	if err := json.NewDecoder(os.Stdin).Decode(&versions); err != nil {
		log.Fatal(fmt.Errorf("stdin: %w", err))
	}
	found := []schema{}
	for _, modules := range versions {
		s := schema{map[string][]field{}, map[string]string{}, modules, map[string]map[string]declaration{}}
		for path, names := range roots {
			for _, name := range names {
				if root, ok := s.declarations(path)[name]; ok {
					s.named(root)
				}
			}
		}
		found = append(found, s)
	}
	if err := json.NewEncoder(os.Stdout).Encode(found); err != nil {
		log.Fatal(err)
	}
}
