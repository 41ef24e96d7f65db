// Prints what the library for Standard Webhooks makes of each notice in the standard input.
import { text } from "node:stream/consumers";
import { Webhook } from "standardwebhooks";

for (const { secret, headers, body } of JSON.parse(await text(process.stdin))) {
  try {
    console.log(JSON.stringify(new Webhook(secret).verify(body, headers)));
  } catch (error) {
    console.log(error.name);
  }
}
