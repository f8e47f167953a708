// A headless Chromium driven over its debugging pipe: no package needed, only node.
import {spawn} from "node:child_process";
import {mkdtempSync, rmSync} from "node:fs";
import {tmpdir} from "node:os";
import {join} from "node:path";

export class Browser {
  static async start(binary) {
    const browser = new Browser();
    browser.profile = mkdtempSync(join(tmpdir(), "stowage-browser-"));
    browser.process = spawn(binary, ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--no-first-run",
      "--disable-background-networking", "--remote-debugging-pipe", `--user-data-dir=${browser.profile}`],
      {stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"]});
    browser.next = 1;
    browser.waiting = new Map();
    browser.listeners = [];
    let text = "";
    browser.process.stdio[4].setEncoding("utf8").on("data", chunk => {
      text += chunk;
      for (let end; (end = text.indexOf("\0")) >= 0; text = text.slice(end + 1)) browser.receive(JSON.parse(text.slice(0, end)));
    });
    browser.process.on("exit", () => {
      for (const {reject} of browser.waiting.values()) reject(new Error("the browser ended"));
    });
    return browser;
  }

  receive(message) {
    const call = this.waiting.get(message.id);
    if (call) {
      this.waiting.delete(message.id);
      message.error ? call.reject(new Error(message.error.message)) : call.resolve(message.result);
    } else {
      for (const listener of this.listeners) listener(message);
    }
  }

  send(method, params = {}, sessionId = undefined) {
    const id = this.next++;
    this.process.stdio[3].write(JSON.stringify({id, method, params, sessionId}) + "\0");
    return new Promise((resolve, reject) => this.waiting.set(id, {resolve, reject}));
  }

  // A fresh page of that size and colour scheme, loaded. `faults` collects errors and requests that left the file.
  async open(url, {width, height = 900, dark = false, media = ""}) {
    const {targetId} = await this.send("Target.createTarget", {url: "about:blank"});
    const {sessionId} = await this.send("Target.attachToTarget", {targetId, flatten: true});
    const page = new Page(this, targetId, sessionId);
    const loaded = new Promise(resolve => this.listeners.push(message => {
      if (message.sessionId !== sessionId) return;
      if (message.method === "Page.loadEventFired") resolve();
      page.note(message, url);
    }));
    for (const domain of ["Page", "Runtime", "Network", "Log"]) await page.send(`${domain}.enable`);
    await page.send("Emulation.setDeviceMetricsOverride", {width, height, deviceScaleFactor: 1, mobile: false});
    await page.send("Emulation.setEmulatedMedia",
                    {media, features: [{name: "prefers-color-scheme", value: dark ? "dark" : "light"}]});
    await page.send("Page.navigate", {url});
    await loaded;
    return page;
  }

  async stop() {
    const ended = new Promise(resolve => this.process.on("exit", resolve));
    this.send("Browser.close").catch(() => {});
    await ended;
    rmSync(this.profile, {recursive: true, force: true, maxRetries: 5});
  }
}

class Page {
  constructor(browser, targetId, sessionId) {
    Object.assign(this, {browser, targetId, sessionId, faults: []});
  }
  note({method, params}, url) {
    if (method === "Runtime.exceptionThrown") {
      this.faults.push("exception: " + (params.exceptionDetails.exception?.description ?? params.exceptionDetails.text));
    } else if (method === "Runtime.consoleAPICalled" && ["error", "warning", "assert"].includes(params.type)) {
      this.faults.push("console: " + params.args.map(a => a.value ?? a.description).join(" "));
    } else if (method === "Log.entryAdded" && params.entry.level === "error") {
      this.faults.push("log: " + params.entry.text);
    } else if (method === "Network.requestWillBeSent" && params.request.url !== url && !params.request.url.startsWith("data:")) {
      this.faults.push("request: " + params.request.url);
    }
  }
  send(method, params) { return this.browser.send(method, params, this.sessionId); }
  // The value of an expression, promises awaited.
  async evaluate(expression) {
    const {result, exceptionDetails} = await this.send("Runtime.evaluate", {expression, awaitPromise: true, returnByValue: true});
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value;
  }
  async hover(x, y) {
    await this.send("Input.dispatchMouseEvent", {type: "mouseMoved", x: x - 3, y});
    await this.send("Input.dispatchMouseEvent", {type: "mouseMoved", x, y});
    await this.evaluate("new Promise(done => setTimeout(done, 120))");
  }
  // PNG bytes of the whole page, or of the band from `top` on.
  async picture(top = 0, height = undefined) {
    const {cssContentSize: size} = await this.send("Page.getLayoutMetrics");
    const clip = {x: 0, y: top, width: size.width, height: Math.min(height ?? size.height, size.height - top), scale: 1};
    const {data} = await this.send("Page.captureScreenshot", {format: "png", captureBeyondViewport: true, clip});
    return Buffer.from(data, "base64");
  }
  close() { return this.browser.send("Target.closeTarget", {targetId: this.targetId}); }
}
