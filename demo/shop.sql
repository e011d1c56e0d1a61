-- A small shop: nine tables, about 200,000 rows, the same ones each time. Times are fixed, and chance is seeded.
SET timezone = 'UTC';
SET max_parallel_workers_per_gather = 0;  -- one worker draws all the numbers, in one order
SELECT setseed(0.5);

CREATE TYPE order_status AS ENUM ('new', 'paid', 'shipped', 'delivered', 'returned');

CREATE TABLE categories (
    id integer PRIMARY KEY,
    parent_id integer REFERENCES categories,
    name text NOT NULL UNIQUE,
    path text[] NOT NULL
);
COMMENT ON COLUMN categories.path IS 'Names from the root to this category';
INSERT INTO categories
SELECT n, nullif((n - 1) / 8, 0), 'Category ' || n,
       CASE WHEN n <= 8 THEN ARRAY['Category ' || n] ELSE ARRAY['Category ' || (n - 1) / 8, 'Category ' || n] END
FROM generate_series(1, 40) n;

CREATE TABLE suppliers (
    id integer PRIMARY KEY,
    name text NOT NULL,
    country char(2) NOT NULL,
    contact jsonb
);
INSERT INTO suppliers
SELECT n, 'Supplier ' || n, (ARRAY['DE', 'FR', 'IT', 'PL', 'PT', 'SE'])[1 + n % 6],
       CASE WHEN n % 7 > 0 THEN jsonb_build_object('email', 'sales' || n || '@supplier.example', 'days', ARRAY[1, 2, n % 5]) END
FROM generate_series(1, 120) n;

CREATE TABLE products (
    id integer PRIMARY KEY,
    sku text NOT NULL UNIQUE,
    category_id integer NOT NULL REFERENCES categories,
    supplier_id integer NOT NULL REFERENCES suppliers,
    name text NOT NULL,
    price numeric(10, 2) NOT NULL CHECK (price > 0),
    weight_kg double precision,
    tags text[] NOT NULL,
    attributes jsonb NOT NULL,
    active boolean NOT NULL,
    updated_at timestamptz NOT NULL
);
INSERT INTO products
SELECT n, 'SKU-' || lpad(n::text, 6, '0'), 1 + n % 40, 1 + n % 120, 'Product ' || n,
       round((1 + random() * 499)::numeric, 2), CASE WHEN n % 9 > 0 THEN round((random() * 20)::numeric, 3) END,
       (ARRAY['new', 'sale', 'öko', 'gift', 'fragile'])[1 + n % 3 : 1 + n % 5],
       jsonb_build_object('colour', (ARRAY['red', 'green', 'blue', 'größer'])[1 + n % 4], 'size', n % 12),
       n % 25 > 0, timestamptz '2026-01-01' + n * interval '1 minute'
FROM generate_series(1, 2000) n;

CREATE TABLE customers (
    id uuid PRIMARY KEY,
    email text NOT NULL UNIQUE,
    full_name text NOT NULL,
    born date,
    address jsonb,
    newsletter boolean NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
INSERT INTO customers
SELECT md5('customer ' || n)::uuid, 'customer' || n || '@shop.example', 'Customer Nº ' || n,
       CASE WHEN n % 4 > 0 THEN date '1940-01-01' + (random() * 25000)::integer END,
       CASE WHEN n % 10 > 0 THEN jsonb_build_object('street', n || ' Main Street', 'city', 'Town ' || n % 300) END,
       n % 3 = 0, timestamptz '2025-01-01' + n * interval '30 minutes', timestamptz '2026-01-01' + n * interval '20 minutes'
FROM generate_series(1, 15000) n;

CREATE TABLE orders (
    id bigint PRIMARY KEY,
    customer_id uuid NOT NULL REFERENCES customers,
    status order_status NOT NULL,
    placed_at timestamptz NOT NULL,
    shipped_at timestamptz,
    total numeric(12, 2) NOT NULL DEFAULT 0,
    currency char(3) NOT NULL,
    note text,
    updated_at timestamptz NOT NULL
);
INSERT INTO orders
SELECT n, md5('customer ' || 1 + n * 7 % 15000)::uuid, (enum_range(NULL::order_status))[1 + n % 5],
       timestamptz '2026-01-01' + n * interval '10 minutes',
       CASE WHEN n % 5 > 1 THEN timestamptz '2026-01-02' + n * interval '10 minutes' + random() * interval '2 days' END,
       0, (ARRAY['EUR', 'SEK', 'PLN'])[1 + n % 3], CASE WHEN n % 20 = 0 THEN E'Leave it\n"next door"' END,
       timestamptz '2026-01-01' + n * interval '10 minutes'
FROM generate_series(1, 40000) n;

CREATE TABLE order_lines (
    order_id bigint REFERENCES orders,
    line_no smallint,
    product_id integer NOT NULL REFERENCES products,
    quantity smallint NOT NULL,
    unit_price numeric(10, 2) NOT NULL,
    discount numeric(4, 3),
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (order_id, line_no)
);
INSERT INTO order_lines
SELECT o.id, l, p.id, 1 + (o.id * l) % 5, p.price, CASE WHEN (o.id + l) % 6 = 0 THEN 0.125 END, o.updated_at
FROM orders o, generate_series(1, 1 + (o.id % 4)::integer) l, products p
WHERE p.id = 1 + (o.id * 13 + l * 17) % 2000;
UPDATE orders SET total = lines.total
FROM (SELECT order_id, sum(quantity * unit_price * (1 - coalesce(discount, 0))) AS total FROM order_lines GROUP BY 1) lines
WHERE id = order_id;

CREATE TABLE payments (
    id uuid PRIMARY KEY,
    order_id bigint NOT NULL REFERENCES orders,
    method text NOT NULL,
    amount numeric(12, 2) NOT NULL,
    paid_at timestamptz NOT NULL,
    details jsonb,
    updated_at timestamptz NOT NULL
);
INSERT INTO payments
SELECT md5('payment ' || id)::uuid, id, (ARRAY['card', 'transfer', 'invoice'])[1 + id % 3], total,
       placed_at + interval '5 minutes', CASE WHEN id % 3 = 0 THEN jsonb_build_object('last4', lpad((id % 10000)::text, 4, '0')) END,
       updated_at + interval '5 minutes'
FROM orders WHERE status <> 'new';

CREATE TABLE inventory (
    product_id integer REFERENCES products,
    warehouse text,
    quantity integer NOT NULL,
    reserved integer NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (product_id, warehouse)
);
INSERT INTO inventory
SELECT p.id, w, (random() * 500)::integer, p.id % 7, p.updated_at
FROM products p, unnest(ARRAY['north', 'south', 'overseas']) w;

CREATE TABLE reviews (
    id bigint PRIMARY KEY,
    product_id integer NOT NULL REFERENCES products,
    customer_id uuid NOT NULL REFERENCES customers,
    rating smallint NOT NULL CHECK (rating BETWEEN 1 AND 5),
    body text,
    votes integer[],
    updated_at timestamptz NOT NULL
);
INSERT INTO reviews
SELECT n, 1 + n * 11 % 2000, md5('customer ' || 1 + n * 3 % 15000)::uuid, 1 + n % 5,
       CASE WHEN n % 6 > 0 THEN repeat('Good value, fast. ', 1 + n % 4) END,
       CASE WHEN n % 5 > 0 THEN ARRAY[n % 40, NULL, n % 9] END, timestamptz '2026-02-01' + n * interval '15 minutes'
FROM generate_series(1, 8000) n;

CREATE INDEX ON products (updated_at);
CREATE INDEX ON customers (updated_at);
CREATE INDEX ON orders (updated_at);
CREATE INDEX ON order_lines (updated_at);
CREATE INDEX ON payments (updated_at);
CREATE INDEX ON inventory (updated_at);
CREATE INDEX ON reviews (updated_at);
ANALYZE;
