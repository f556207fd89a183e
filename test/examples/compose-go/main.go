// Loads a Compose file with the library of Docker Compose: schema, anchors, defaults, and whether what is named is there. Prints the
// services with their environment as JSON. Argument: the file.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/compose-spec/compose-go/loader"
	"github.com/compose-spec/compose-go/types"
)

type service struct {
	Image       string            `json:"image"`
	Environment map[string]string `json:"environment"`
	Replicas    uint64            `json:"replicas"`
}

func load(path string) (map[string]service, error) {
	details := types.ConfigDetails{
		WorkingDir:  filepath.Dir(path),
		ConfigFiles: []types.ConfigFile{{Filename: path}},
		Environment: map[string]string{},
	}
	project, err := loader.Load(details, func(options *loader.Options) {
		options.SetProjectName("ect", true)
		options.Profiles = []string{"*"}
	})
	if err != nil {
		return nil, err
	}
	services := map[string]service{}
	for _, found := range project.Services {
		environment := map[string]string{}
		for name, value := range found.Environment {
			if value != nil {
				environment[name] = *value
			}
		}
		var replicas uint64 = 1
		if found.Deploy != nil && found.Deploy.Replicas != nil {
			replicas = *found.Deploy.Replicas
		}
		services[found.Name] = service{found.Image, environment, replicas}
	}
	return services, nil
}

func main() {
	services, err := load(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(services)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
