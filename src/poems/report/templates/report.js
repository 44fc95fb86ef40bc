(function () {
  "use strict";
  var PAGE = 25;
  var SVG = "http://www.w3.org/2000/svg";

  function make(name, text, parent) {
    var element = document.createElement(name);
    if (text !== undefined && text !== null) { element.textContent = text; }
    if (parent) { parent.appendChild(element); }
    return element;
  }
  function draw(name, attributes, parent) {
    var element = document.createElementNS(SVG, name);
    Object.keys(attributes).forEach(function (key) { element.setAttribute(key, attributes[key]); });
    if (parent) { parent.appendChild(element); }
    return element;
  }
  function labelled(text, control, parent) {
    var label = make("label", null, parent);
    make("span", text, label);
    label.appendChild(control);
    return control;
  }
  function choice(text, options, parent) {
    var select = make("select");
    options.forEach(function (option, at) {
      var made = make("option", option, select);
      made.value = String(at);
    });
    return labelled(text, select, parent);
  }

  // Tables: sorted by a column, searched, a page at a time.
  function Rows(table) {
    var body = table.tBodies[0];
    var all = Array.prototype.slice.call(body.rows);
    var shown = all.slice();
    var page = 0;
    var heads = Array.prototype.slice.call(table.tHead.rows[0].cells);
    var caption = document.getElementById(table.getAttribute("aria-labelledby"));
    var controls = null;
    var state = null;
    var previous = null;
    var next = null;

    function key(row, at) {
      var cell = row.cells[at];
      var order = cell.getAttribute("data-order");
      return order === null ? null : parseFloat(order);
    }
    function compare(at, numeric, sign) {
      return function (a, b) {
        var x = numeric ? key(a, at) : a.cells[at].textContent;
        var y = numeric ? key(b, at) : b.cells[at].textContent;
        if (numeric) {
          // What has no value comes last, whichever way.
          if (x === null || y === null) { return (x === null) - (y === null); }
          return sign * ((x > y) - (x < y));
        }
        return sign * x.localeCompare(y, undefined, { numeric: true, sensitivity: "base" });
      };
    }
    function sort(at) {
      var head = heads[at];
      var numeric = all.some(function (row) { return key(row, at) !== null; });
      var was = head.getAttribute("aria-sort");
      var down = was === "none" ? numeric : was === "ascending";
      heads.forEach(function (other) { other.setAttribute("aria-sort", "none"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      var order = compare(at, numeric, down ? -1 : 1);
      all.sort(order);
      shown.sort(order);
      all.forEach(function (row) { body.appendChild(row); });
      page = 0;
      render();
    }
    function search(words) {
      var wanted = words.toLowerCase().split(/\s+/).filter(Boolean);
      shown = all.filter(function (row) {
        var text = row.textContent.toLowerCase();
        return wanted.every(function (word) { return text.indexOf(word) >= 0; });
      });
      page = 0;
      render();
    }
    function render() {
      var first = page * PAGE;
      var last = Math.min(first + PAGE, shown.length);
      all.forEach(function (row) { row.hidden = true; });
      shown.slice(first, last).forEach(function (row) { row.hidden = false; });
      if (!controls) { return; }
      state.textContent = shown.length ? (first + 1) + "–" + last + " of " + shown.length : "no row matches";
      previous.disabled = page === 0;
      next.disabled = last >= shown.length;
    }
    function turn(by) {
      return function () { page += by; render(); };
    }

    heads.forEach(function (head, at) {
      var text = head.textContent;
      head.textContent = "";
      var button = make("button", text, head);
      button.type = "button";
      head.setAttribute("aria-sort", "none");
      button.addEventListener("click", function () { sort(at); });
    });
    if (all.length > 15) {
      controls = make("div");
      controls.className = "controls";
      var box = make("input");
      box.type = "search";
      box.setAttribute("aria-label", "Search in: " + caption.textContent);
      labelled("Search", box, controls);
      box.addEventListener("input", function () { search(box.value); });
      if (all.length > PAGE) {
        previous = make("button", "Previous", controls);
        next = make("button", "Next", controls);
        [previous, next].forEach(function (button) { button.type = "button"; });
        previous.addEventListener("click", turn(-1));
        next.addEventListener("click", turn(1));
      } else {
        previous = make("button");
        next = make("button");
      }
      state = make("span", null, controls);
      state.setAttribute("aria-live", "polite");
      table.parentNode.parentNode.insertBefore(controls, table.parentNode);
    }
    render();
  }

  // Pickers: one panel of several.
  function Picker(picker) {
    var panels = Array.prototype.filter.call(picker.children, function (child) {
      return child.classList.contains("panel");
    });
    if (panels.length < 2) { return; }
    var controls = picker.querySelector(".controls");
    controls.hidden = false;
    var select = choice(picker.getAttribute("data-label"), panels.map(function (panel) {
      return panel.getAttribute("data-title");
    }), controls);
    var previous = make("button", "Previous", controls);
    var next = make("button", "Next", controls);
    function show(at) {
      select.selectedIndex = at;
      panels.forEach(function (panel, index) { panel.hidden = index !== at; });
      previous.disabled = at === 0;
      next.disabled = at === panels.length - 1;
    }
    [previous, next].forEach(function (button, at) {
      button.type = "button";
      button.addEventListener("click", function () { show(select.selectedIndex + (at ? 1 : -1)); });
    });
    select.addEventListener("change", function () { show(select.selectedIndex); });
    show(0);
    function follow() {
      panels.forEach(function (panel, at) {
        if (location.hash === "#" + panel.id) { show(at); panel.scrollIntoView(); }
      });
    }
    window.addEventListener("hashchange", follow);
    follow();
  }

  // The map of samples.
  function SampleMap(figure) {
    var data = JSON.parse(document.getElementById(figure.getAttribute("data-map")).textContent);
    var svg = figure.querySelector("svg");
    var legend = figure.querySelector(".legend");
    var told = figure.querySelector(".told");
    var controls = figure.querySelector(".controls");
    var W = 720, H = 480, LEFT = 40, BELOW = 40, PAD = 14;
    var n = data.samples.length;
    controls.hidden = false;
    var colour = choice("Colour by", data.columns.map(function (column) { return column.name; }), controls);
    var plane = choice("Seen", data.planes.map(function (each) { return each.name; }), controls);
    var find = make("input");
    find.type = "search";
    labelled("Find a sample", find, controls);
    var xLabel = draw("text", { x: (W + LEFT) / 2, y: H - 12, "text-anchor": "middle" }, svg);
    var yLabel = draw("text", { x: 0, y: 0, "text-anchor": "middle", transform: "translate(20 " + (H - BELOW) / 2 + ") rotate(-90)" }, svg);
    var dots = [];
    var here = -1;
    var radius = Math.max(2.2, Math.min(6, 90 / Math.sqrt(n)));
    for (var i = 0; i < n; i += 1) { dots.push(draw("circle", { r: radius, "data-at": i }, svg)); }
    svg.setAttribute("tabindex", "0");

    function place() {
      var seen = data.planes[plane.selectedIndex];
      var xs = seen.x, ys = seen.y;
      var low = [Math.min.apply(null, xs), Math.min.apply(null, ys)];
      var high = [Math.max.apply(null, xs), Math.max.apply(null, ys)];
      var scale = Math.min((W - LEFT - 2 * PAD) / Math.max(high[0] - low[0], 1e-9), (H - BELOW - 2 * PAD) / Math.max(high[1] - low[1], 1e-9));
      var middle = [(low[0] + high[0]) / 2, (low[1] + high[1]) / 2];
      for (var i = 0; i < n; i += 1) {
        dots[i].setAttribute("cx", ((W + LEFT) / 2 + scale * (xs[i] - middle[0])).toFixed(1));
        dots[i].setAttribute("cy", ((H - BELOW) / 2 - scale * (ys[i] - middle[1])).toFixed(1));
      }
      xLabel.textContent = seen.axes[0];
      yLabel.textContent = seen.axes[1];
    }
    function key(fill, text) {
      var line = make("div", null, legend);
      var swatch = draw("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" }, line);
      draw("circle", { cx: 5, cy: 5, r: 5, fill: fill }, swatch);
      make("span", text, line);
    }
    function paint() {
      var column = data.columns[colour.selectedIndex];
      legend.textContent = "";
      make("strong", column.name, legend);
      dots.forEach(function (dot, i) {
        var at = column.codes[i];
        dot.setAttribute("fill", at < 0 ? "#c9ced4" : column.colours[at]);
      });
      column.keys.forEach(function (text, at) { key(column.key_colours[at], text); });
      if (column.codes.some(function (at) { return at < 0; })) { key("#c9ced4", "not known"); }
    }
    function tell(at) {
      if (here >= 0) { dots[here].classList.remove("here"); }
      here = at;
      if (at < 0) { told.textContent = hint; return; }
      dots[at].classList.add("here");
      svg.appendChild(dots[at]);
      told.textContent = data.samples[at] + " – " + data.columns.map(function (column) {
        return column.name + ": " + column.texts[at];
      }).join("; ");
    }
    var hint = "Point at a dot, or focus the map and use the arrow keys, to read a sample’s name and values.";
    svg.addEventListener("mousemove", function (event) {
      var at = event.target.getAttribute && event.target.getAttribute("data-at");
      if (at !== null && at !== undefined) { tell(parseInt(at, 10)); }
    });
    svg.addEventListener("click", function (event) {
      var at = event.target.getAttribute && event.target.getAttribute("data-at");
      if (at !== null && at !== undefined) { tell(parseInt(at, 10)); }
    });
    function step(dx, dy) {
      if (here < 0) { return 0; }
      var seen = data.planes[plane.selectedIndex];
      var best = here, least = Infinity;
      for (var i = 0; i < n; i += 1) {
        var along = dx * (seen.x[i] - seen.x[here]) + dy * (seen.y[i] - seen.y[here]);
        var aside = Math.abs(dy * (seen.x[i] - seen.x[here])) + Math.abs(dx * (seen.y[i] - seen.y[here]));
        if (i !== here && along > 0 && along + 2 * aside < least) { least = along + 2 * aside; best = i; }
      }
      return best;
    }
    svg.addEventListener("keydown", function (event) {
      var ways = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };
      if (n && ways[event.key]) { event.preventDefault(); tell(step.apply(null, ways[event.key])); }
    });
    find.addEventListener("input", function () {
      var wanted = find.value.trim().toLowerCase();
      var at = -1;
      if (wanted) {
        data.samples.some(function (name, i) {
          if (name.toLowerCase().indexOf(wanted) < 0) { return false; }
          at = i;
          return true;
        });
      }
      tell(at);
      if (wanted && at < 0) { told.textContent = "No sample of the map has this in its name."; }
    });
    colour.addEventListener("change", paint);
    plane.addEventListener("change", place);
    place();
    paint();
    tell(-1);
  }

  Array.prototype.forEach.call(document.querySelectorAll("table[data-sortable]"), function (table) { Rows(table); });
  Array.prototype.forEach.call(document.querySelectorAll(".picker"), function (picker) { Picker(picker); });
  Array.prototype.forEach.call(document.querySelectorAll("figure[data-map]"), function (figure) { SampleMap(figure); });

  // What is folded opens when a link leads into it.
  function unfold() {
    var target = document.getElementById(location.hash.slice(1));
    for (var each = target; each; each = each.parentElement) {
      if (each.tagName === "DETAILS") { each.open = true; }
    }
    if (target && target.closest("details")) { target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", unfold);
  unfold();

  // Printing: what is open and the first rows, or all.
  var printing = document.getElementById("printing");
  function printed(text, all) {
    var button = make("button", text, printing);
    button.type = "button";
    button.addEventListener("click", function () {
      var closed = all ? Array.prototype.filter.call(document.querySelectorAll("details"), function (each) { return !each.open; }) : [];
      document.documentElement.classList.toggle("print-all", all);
      closed.forEach(function (each) { each.open = true; });
      window.print();
      closed.forEach(function (each) { each.open = false; });
      document.documentElement.classList.remove("print-all");
    });
  }
  if (!document.body.classList.contains("brief")) {
    printing.hidden = false;
    printed("Print what is open", false);
    printed("Print all", true);
  }

  // Where the reader is, in the table of contents.
  var links = {};
  Array.prototype.forEach.call(document.querySelectorAll(".contents a"), function (link) {
    links[link.getAttribute("href").slice(1)] = link;
  });
  if ("IntersectionObserver" in window) {
    var observer = new IntersectionObserver(function (entries) {
      entries.forEach(function (entry) {
        if (!entry.isIntersecting) { return; }
        Object.keys(links).forEach(function (id) { links[id].removeAttribute("aria-current"); });
        links[entry.target.id].setAttribute("aria-current", "true");
      });
    }, { rootMargin: "0px 0px -75% 0px" });
    Object.keys(links).forEach(function (id) { observer.observe(document.getElementById(id)); });
  }
}());
