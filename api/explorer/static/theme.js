// Before anything is drawn: the theme that was chosen here, else that of the system.
(() => {
  const chosen = localStorage.getItem("recsys-theme");
  if (chosen === "dark" || chosen === "light") document.documentElement.dataset.theme = chosen;
})();
