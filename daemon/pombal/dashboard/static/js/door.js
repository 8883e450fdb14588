// The token has ended, or was never good: to the door, which says so and leads back here.
export function toTheDoor() {
  const back = encodeURIComponent(location.pathname + location.search);
  location.assign(`/sign-in?ended=1&next=${back}`);
}
