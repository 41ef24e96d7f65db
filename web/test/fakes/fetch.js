/** @typedef {{url: string, init: any, isOpen: boolean, answer: (response: Response | Error) => void}} Request */

/** A fetch that records its requests. @param {Request[]} requests */
export function fetchInto(requests) {
  /** @param {unknown} url @param {any} init @returns {Promise<Response>} */
  return (url, init) =>
    new Promise((resolve, reject) => {
      /** @type {Request} */
      const request = {
        url: String(url),
        init,
        isOpen: true,
        answer: (response) => {
          request.isOpen = false;
          if (response instanceof Error) reject(response);
          else resolve(response);
        },
      };
      init.signal.addEventListener("abort", () => request.answer(init.signal.reason));
      requests.push(request);
    });
}
