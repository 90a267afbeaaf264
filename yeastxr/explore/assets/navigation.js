// The page's head: its title, links to the views, the theme, and the URL, which follows what is shown.
export function render({ model, el }) {
  const header = document.createElement("header");
  const title = document.createElement("h1");
  const nav = document.createElement("nav");
  nav.setAttribute("aria-label", "Views");
  header.append(title, nav);

  const go = (query) => {
    model.visited = query;
    model.visits += 1; // the same link twice is two visits
  };
  const drawLinks = () => {
    nav.replaceChildren(
      ...model.links.map(({ title, query, current }) => {
        const link = document.createElement("a");
        link.href = model.owns_page ? query : "#";
        link.textContent = title;
        if (current) link.setAttribute("aria-current", "page");
        link.addEventListener("click", (event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          go(query);
        });
        return link;
      })
    );
  };
  const drawTitle = () => {
    title.textContent = model.heading;
  };
  drawTitle();
  drawLinks();
  model.on("heading", drawTitle);
  model.on("links", drawLinks);

  if (model.owns_page) {
    // "light", "dark", or what the system prefers until somebody has chosen.
    const root = document.documentElement;
    const button = document.createElement("button");
    button.type = "button";
    const drawTheme = () => {
      button.textContent = root.dataset.theme === "dark" ? "Light theme" : "Dark theme";
    };
    button.addEventListener("click", () => {
      root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
      try {
        localStorage.setItem("yeastxr-theme", root.dataset.theme);
      } catch {} // storage may be forbidden
      drawTheme();
    });
    drawTheme();
    header.append(button);

    let stays = false; // after the back button the history has the entry already
    model.on("query", () => {
      document.title = model.page_title;
      if (model.query !== location.search) {
        if (stays) history.replaceState({}, "", model.query);
        else history.pushState({}, "", model.query);
      }
      stays = false;
    });
    window.addEventListener("popstate", () => {
      stays = location.search !== model.query;
      go(location.search);
    });
    document.title = model.page_title;
    if (model.query && model.query !== location.search) history.replaceState({}, "", model.query);
  }
  return header;
}
