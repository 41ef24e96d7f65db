// Reports a job of three steps by the client that docs/how-to/generate-a-client.md generates, and follows it.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"time"

	"example/progress"
)

// report sends an update, and the same one again if the server is away or has too much to do.
func report(sessions *progress.SessionsAPIService, action string, step int64) {
	update := progress.NewUpdateBody(action)
	update.SetStep(step)
	request := sessions.ReportUpdate(context.Background(), "nightly").UpdateBody(*update).IdempotencyKey(rand.Text())
	for delay := time.Second; delay < time.Minute; delay *= 2 {
		_, response, err := request.Execute()
		if err == nil || response != nil && response.StatusCode != 429 && response.StatusCode < 500 {
			return
		}
		time.Sleep(delay)
	}
}

// follow prints each state of the session as it comes, until that has completed or failed.
func follow(sessions *progress.SessionsAPIService) {
	for seen := ""; ; {
		session, response, err := sessions.GetSession(context.Background(), "nightly").Prefer("wait=20").IfNoneMatch(seen).Execute()
		switch {
		case err == nil:
			fmt.Println(session.GetStatus(), session.GetPercentage())
			if status := session.GetStatus(); status == "completed" || status == "error" {
				return
			}
			seen = response.Header.Get("ETag")
		case response == nil || response.StatusCode != http.StatusNotModified:
			time.Sleep(time.Second)
		}
	}
}

func main() {
	configuration := progress.NewConfiguration()
	configuration.Servers = progress.ServerConfigurations{{URL: "http://127.0.0.1:8000"}}
	sessions := progress.NewAPIClient(configuration).SessionsAPI
	create := progress.NewCreateBody()
	create.SetTotalSteps(3)
	sessions.CreateSession(context.Background(), "nightly").CreateBody(*create).Replace(true).Execute()
	go func() {
		for step := int64(1); step <= 3; step++ {
			report(sessions, "start", step)
			report(sessions, "complete", step)
		}
	}()
	follow(sessions)
}
